"""The other side of an association: opens one to a peer, asks, and releases it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devices.clock import Clock
from devices.dicom.services.commands import LONGEST_COMMAND_BYTES, Command, MalformedCommand, decode_command
from devices.dicom.upper_layer.associate import AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.fragments import Fragment
from devices.dicom.upper_layer.loop_connection import LoopConnection
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Channel


class CallFailed(Exception):
    """Raised when a peer cannot be reached, does not let us in, or ends the association; says which.

    ``rejection`` is its answer where it does not let us in.
    """

    def __init__(self, sentence: str, *, rejection: AssociateReject | None = None) -> None:
        super().__init__(sentence)
        self.rejection = rejection


class Call:
    """An association that we opened; made by ``call``."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._accept: asyncio.Future[AssociateAccept] = loop.create_future()
        self._over: asyncio.Future[str] = loop.create_future()
        self._answers: dict[int, asyncio.Future[Command]] = {}
        self._association: Channel | None = None
        self._command = bytearray()

    def transfer_syntax(self, context_id: int) -> str | None:
        """Transfer syntax in which the peer accepted a context; None where it did not."""
        for context in self._accept.result().contexts:
            if context.context_id == context_id and context.reason == 0:
                return context.transfer_syntax
        return None

    async def answered(self) -> None:
        """Wait for the peer's answer.

        Raises
        ------
        CallFailed
            Where it is no.

        """
        await asyncio.wait((self._accept, self._over), return_when=asyncio.FIRST_COMPLETED)
        if not self._accept.done():
            raise CallFailed(self._over.result())
        self._accept.result()

    async def ask(
        self, context_id: int, message_id: int, command: bytes, data_set: bytes | None = None
    ) -> Command:
        """Send a request and wait for its answer.

        Raises
        ------
        CallFailed
            Where the association ends before.

        """
        if self._association is None or self._over.done():
            raise CallFailed(self._over.result() if self._over.done() else "the association is not open")
        answer: asyncio.Future[Command] = asyncio.get_running_loop().create_future()
        self._answers[message_id] = answer
        self._association.send(context_id, command, data_set)
        await asyncio.wait((answer, self._over), return_when=asyncio.FIRST_COMPLETED)
        del self._answers[message_id]
        if not answer.done():
            raise CallFailed(self._over.result())
        return answer.result()

    async def over(self) -> None:
        """Wait for the association's end."""
        await asyncio.wait((self._over,))

    def answer(self, association: Channel, request: AssociateRequest) -> AssociateReject:  # noqa: ARG002 - the user's signature
        """Not asked: we opened it."""
        return AssociateReject(result=1, source=1, reason=1)

    def accepted(self, association: Channel, accept: AssociateAccept) -> None:
        """Begin."""
        self._association = association
        if not self._accept.done():
            self._accept.set_result(accept)

    def established(self, association: Channel) -> None:
        """Not asked: the peer accepts."""

    def rejected(self, reject: AssociateReject) -> None:
        """Note that the peer does not let us in."""
        sentence = f"it rejects the association (source {reject.source}, reason {reject.reason})"
        if not self._accept.done():
            self._accept.set_exception(CallFailed(sentence, rejection=reject))

    def take(self, fragment: Fragment) -> None:
        """Take an answer; data sets of answers are not kept."""
        if not fragment.is_command:
            return
        self._command += fragment.content
        if fragment.is_last and len(self._command) <= LONGEST_COMMAND_BYTES:
            content, self._command = bytes(self._command), bytearray()
            try:
                command = decode_command(content)
            except MalformedCommand as exc:
                self.ended(was_released=False, reason=f"its answer is none: {exc}")
                return
            waiting = self._answers.get(command.message_id)
            if command.is_response and waiting is not None and not waiting.done():
                waiting.set_result(command)

    def more(self) -> None:
        """Not asked: an answer is taken at once."""

    def waited(self, turn_s: float) -> None:
        """Not asked: how long an answer may take is for who waits for it."""

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Note the end."""
        if not self._over.done():
            self._over.set_result(reason or ("released" if was_released else "the association has ended"))


@asynccontextmanager
async def call(
    host: str, port: int, request: AssociateRequest, *, timing: Timing, clock: Clock
) -> AsyncIterator[Call]:
    """Open an association, and release it on the way out.

    Raises
    ------
    CallFailed
        Where nobody answers there, or the answer is no.

    """
    user = Call()
    closed = asyncio.Event()
    connection = LoopConnection(user, timing=timing, clock=clock, request=request, on_close=closed.set)
    try:
        async with asyncio.timeout(timing.artim_s):
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(lambda: connection, host, port)
    except OSError as exc:
        raise CallFailed(f"nothing answers at {host}:{port}: {exc}") from exc
    try:
        await user.answered()
        yield user
        connection.association.release()
        await user.over()
    finally:
        transport.abort()
        await closed.wait()
