"""Whoever uses an association."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from devices.dicom.upper_layer.associate import AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.fragments import Fragment

if TYPE_CHECKING:
    from devices.dicom.upper_layer.association import Association

Conclusion: TypeAlias = Callable[[], None]

Work: TypeAlias = Callable[[], Conclusion]
"""What waits for a disk, called where waiting holds nobody else up; what it gives is called at the association."""


class Unacceptable(ValueError):
    """Raised by the user for what cannot be answered, so that the association is aborted."""


class User(Protocol):
    """Decides on an association, takes what comes, learns of its end."""

    def answer(self, association: "Association", request: AssociateRequest) -> AssociateAccept | AssociateReject:
        """Decide on a request that the peer makes."""

    def accepted(self, association: "Association", accept: AssociateAccept) -> None:
        """Learn that our request was accepted."""

    def rejected(self, reject: AssociateReject) -> None:
        """Learn that our request was rejected."""

    def established(self, association: "Association") -> None:
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

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Learn that it has ended, once: released, or why not. Nothing can be sent any more."""
