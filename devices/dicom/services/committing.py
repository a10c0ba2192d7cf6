"""The storage commitment service (PS3.4 annex J): one N-ACTION from its command to its answer."""

from devices.dicom.services.commands import ACTION_TYPE, Command, Status
from devices.dicom.services.commitment import LONGEST_REQUEST_BYTES, REQUEST_COMMITMENT, decode_transaction
from devices.dicom.services.provider import Desk, DeskFull
from devices.dicom.services.request import Refuse, Respond
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.upper_layer.user import Conclusion, Unacceptable, Work


class Committing:
    """A request for commitment that comes in.

    Parameters
    ----------
    command
        What was asked.
    desk
        Takes it; None where commitment is not served.
    transfer_syntax, calling_ae
        How its data set is encoded, and who asks.
    respond, refuse
        Answer the request; tell of a refusal.

    """

    def __init__(
        self,
        command: Command,
        desk: Desk | None,
        *,
        transfer_syntax: str,
        calling_ae: str,
        respond: Respond,
        refuse: Refuse,
    ) -> None:
        self._command = command
        self._desk = desk
        self._transfer_syntax = transfer_syntax
        self._calling_ae = calling_ae
        self._respond = respond
        self._refuse = refuse
        self._content = bytearray()

    def take(self, content: memoryview) -> None:
        """Gather part of the data set."""
        self._content += content
        if len(self._content) > LONGEST_REQUEST_BYTES:
            raise Unacceptable(f"a request for commitment of more than {LONGEST_REQUEST_BYTES} bytes")

    def finish(self) -> Work | None:
        """Answer when the request cannot be lost any more; the longest takes seconds to be read."""
        desk = self._desk
        if self._command.number(ACTION_TYPE) != REQUEST_COMMITMENT:
            self._respond(Status.NO_SUCH_ACTION)
            return None
        if desk is None:
            self._respond(Status.UNRECOGNISED_OPERATION)
            return None

        def take_in() -> Conclusion:
            return self._take_in(desk)

        return take_in

    def _take_in(self, desk: Desk) -> Conclusion:
        try:
            transaction = decode_transaction(
                bytes(self._content), transfer_syntax=self._transfer_syntax, calling_ae=self._calling_ae
            )
            return desk.accept(transaction, self._respond)
        except UnreadableObject as exc:
            return self._turned_down(Status.INVALID_ARGUMENT, f"a request for commitment: {exc}")
        except DeskFull as exc:
            return self._turned_down(Status.RESOURCE_LIMITATION, str(exc))

    def _turned_down(self, status: Status, sentence: str) -> Conclusion:
        def turn_down() -> None:
            self._refuse(sentence)
            self._respond(status)

        return turn_down

    def discard(self) -> None:
        """Do nothing: it is in memory alone."""
