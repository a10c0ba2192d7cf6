"""What the services of a node share, whichever association they serve."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from devices.dicom.services.commands import Status
from devices.dicom.services.commitment import Transaction
from devices.dicom.services.events import Notify
from devices.dicom.services.querying import Lookup
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.store import ObjectStore
from devices.dicom.upper_layer.user import Channel, Conclusion


class Served(Protocol):
    """A console's association with the node, as what serves them all sees it.

    Attributes
    ----------
    number
        What the node calls it, in whichever process it is served.
    calling_ae, address
        What the console calls itself, empty until it asks for the association, and where it is.
    transfer_syntaxes
        Of each accepted presentation context.
    commitment_context
        The first for storage commitment, on which its reports go; None where that was not accepted.
    is_behind
        Whether data sets come more slowly than they must.
    is_leaving
        Whether it is about to end, and takes no place any more.

    """

    number: int
    calling_ae: str
    address: str
    transfer_syntaxes: dict[int, str]
    commitment_context: int | None
    is_behind: bool
    is_leaving: bool

    @property
    def is_between_messages(self) -> bool:
        """Whether nothing of a message has come and waits for the rest or for its answer."""

    @property
    def is_reachable(self) -> bool:
        """Whether a report of commitment may be sent now."""

    async def ask(self, context_id: int, request: Callable[[int], bytes], data_set: bytes) -> int | None:
        """Send a request of ours, made for a message ID, and wait for its status; None where there is none."""

    def dismiss(self, reason: str) -> None:
        """End it for another's sake, wherever it is served."""

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Learn that it has ended, wherever it was served."""


class DeskFull(Exception):
    """Raised when no more requests for commitment are taken; the message says whose wait, and how many."""


class Desk(Protocol):
    """Takes requests for storage commitment."""

    def accept(self, transaction: Transaction, answer: Callable[[Status], None]) -> Conclusion:
        """Take a transaction durably and give what answers it; raises ``DeskFull``. Blocks; for any thread."""

    def opened(self) -> None:
        """Note that a sender has an association on which it is reachable."""

    def paused(self) -> None:
        """Note that a sender is between two messages on such an association."""


class Crew(Protocol):
    """Takes associations over."""

    def offer(self, session: Served, association: Channel) -> None:
        """Take one, if it may be, when what is under way is done; from then on the crew tells of it."""

    def dismiss(self, session: Served, reason: str) -> bool:
        """End one that was taken; false where it was not."""


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
    sessions: list[Served] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lookup: Lookup | None = None
    desk: Desk | None = None
    crew: Crew | None = None
