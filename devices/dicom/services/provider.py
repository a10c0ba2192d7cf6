"""What the services of a node share, whichever association they serve."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from devices.dicom.services.commands import Status
from devices.dicom.services.commitment import Transaction
from devices.dicom.services.events import Notify
from devices.dicom.services.querying import Lookup
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.store import ObjectStore
from devices.dicom.upper_layer.association import Association
from devices.dicom.upper_layer.user import Work

if TYPE_CHECKING:
    from devices.dicom.services.session import Session


class Desk(Protocol):
    """Takes requests for storage commitment."""

    def accept(self, transaction: Transaction, answer: Callable[[Status], None]) -> Work | None:
        """Take a transaction durably, by work, and answer."""

    def opened(self) -> None:
        """Note that a sender has an association on which it is reachable."""

    def paused(self) -> None:
        """Note that a sender is between two messages on such an association."""


class Crew(Protocol):
    """Takes associations over."""

    def offer(self, session: "Session", association: Association) -> None:
        """Take one, if it may be, when what is under way is done; from then on the crew tells of it."""


@dataclass(slots=True, kw_only=True)
class Provider:
    """What every session of a node shares.

    Attributes
    ----------
    settings
        Who may send, and the limits.
    store
        Where objects go.
    notify
        Called with each arrival, refusal and ending; must not block.
    sessions
        Those with an association.
    numbers
        One for each session.
    lookup
        Answers queries; None where they are not served.
    desk
        Takes requests for storage commitment; None where it is not served.
    crew
        Takes associations over; None where all are served here.

    """

    settings: NodeSettings
    store: ObjectStore
    notify: Notify
    sessions: list["Session"] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lookup: Lookup | None = None
    desk: Desk | None = None
    crew: Crew | None = None
