"""Whoever uses an association."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from devices.dicom.upper_layer.associate import AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.fragments import Fragment

Conclusion: TypeAlias = Callable[[], None]

Work: TypeAlias = Callable[[], Conclusion]
"""What waits for a disk, called where waiting holds nobody else up; what it gives is called at the association."""


class Unacceptable(ValueError):
    """Raised by the user for what cannot be answered, so that the association is aborted."""


class Channel(Protocol):
    """An association, as its user sees it."""

    @property
    def peer_maximum_bytes(self) -> int:
        """Longest PDU that the peer takes; 0 for any."""

    @property
    def work(self) -> Work | None:
        """What the user waits for; nothing more is taken until it is concluded."""

    def send(self, context_id: int, command: bytes, data_set: bytes | None = None) -> None:
        """Send a DIMSE message; nothing where the association has ended meanwhile."""

    def abort(self, reason: str) -> None:
        """Abort it; ``reason`` is ours alone."""

    def detach(self, *, longest_pending: int) -> tuple[int, bytes] | None:
        """Give away the connection while nothing is under way: its descriptor, and what was read of the next PDU.

        None where it cannot be given away; else the association is over here without anybody being told.
        """


class User(Protocol):
    """Decides on an association, takes what comes, learns of its end."""

    def answer(self, association: Channel, request: AssociateRequest) -> AssociateAccept | AssociateReject:
        """Decide on a request that the peer makes."""

    def accepted(self, association: Channel, accept: AssociateAccept) -> None:
        """Learn that our request was accepted."""

    def rejected(self, reject: AssociateReject) -> None:
        """Learn that our request was rejected."""

    def established(self, association: Channel) -> None:
        """Learn that our acceptance was sent."""

    def take(self, fragment: Fragment) -> Work | None:
        """Take a fragment, whose content holds until this returns; nothing more comes until the work is concluded.

        Raises
        ------
        Unacceptable
            To abort the association.

        """

    def more(self) -> Work | None:
        """Give further work, when some is concluded and nothing waits to be taken; most users have none."""

    def waited(self, turn_s: float) -> None:
        """Learn, from time to time, how long it has been the peer's turn in all since the association began.

        Raises
        ------
        Unacceptable
            To abort the association.

        """

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Learn that it has ended, once: released, or why not. Nothing can be sent any more."""
