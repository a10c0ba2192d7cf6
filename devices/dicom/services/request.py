"""One request of a console's while its data set comes in."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from devices.dicom.services.commands import Status
from devices.dicom.upper_layer.user import Work

Respond: TypeAlias = Callable[[Status], None]
"""Answers one request."""

Refuse: TypeAlias = Callable[[str], None]
"""Tells of a refusal, in a sentence."""


class Request(Protocol):
    """What a service makes of a request."""

    def take(self, content: memoryview) -> None:
        """Take part of the data set; raises ``Unacceptable`` to abort the association."""

    def finish(self) -> Work | None:
        """Answer, now that the data set is whole, or after some work."""

    def discard(self) -> None:
        """Leave nothing of it: the association has ended."""


class Unanswered:
    """What is not answered, whatever comes with it."""

    def take(self, content: memoryview) -> None:
        """Drop it."""

    def finish(self) -> None:
        """Say nothing."""

    def discard(self) -> None:
        """Do nothing: there is nothing of it."""


class Declined(Unanswered):
    """What is answered by one status, whatever comes with it."""

    def __init__(self, status: Status, respond: Respond) -> None:
        self._status = status
        self._respond = respond

    def finish(self) -> None:
        """Answer."""
        self._respond(self._status)
