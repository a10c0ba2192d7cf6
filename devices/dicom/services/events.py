"""What happens at the node that others want to know: told where it happens, and from process to process."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from devices.dicom.storage.placement import StoredObject


class Arrival(Struct, frozen=True, kw_only=True, tag="arrival"):
    """An object was stored and is about to be acknowledged; ``session`` is its association's number."""

    session: int
    calling_ae: str
    object_uid: str
    stored: StoredObject


class Refusal(Struct, frozen=True, kw_only=True, tag="refusal"):
    """A connection, an association or an object was not accepted."""

    calling_ae: str
    address: str
    reason: str


class Ending(Struct, frozen=True, kw_only=True, tag="ending"):
    """An association that was accepted has ended, in order or not; ``acknowledged`` are its objects by study."""

    session: int
    calling_ae: str
    address: str
    was_released: bool
    acknowledged: dict[str, int]


class Listing(Struct, frozen=True, kw_only=True, tag="listing"):
    """A sender has said which objects it has sent: a request for storage commitment names them all."""

    object_uids: frozenset[str]


class Disclosure(Struct, frozen=True, kw_only=True, tag="disclosure"):
    """Objects, or what is known of them, are about to be given out; ``studies`` says how many of which."""

    calling_ae: str
    address: str
    studies: dict[str, int]
    is_query: bool = False


Event: TypeAlias = Arrival | Refusal | Ending | Listing | Disclosure

Notify: TypeAlias = Callable[[Event], None]
