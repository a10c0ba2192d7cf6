"""What happens at the node that others want to know: told where it happens, and from process to process."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from devices.dicom.storage.placement import StoredObject


class Cause(StrEnum):
    """Why something was not accepted, in one of so many words."""

    CONNECTION = "connection"
    CALLING_AE = "calling AE title"
    NETWORK = "network"
    CALLED_AE = "called AE title"
    LIMIT = "limit"
    BROKEN_OFF = "broken off"
    PACE = "pace"
    """A message came too slowly."""
    DISPLACED = "displaced"
    """Another association needed the place of a slow one."""
    OBJECT = "object"
    QUERY = "query"
    REQUEST = "request"
    """By HTTP."""


class Arrival(Struct, frozen=True, kw_only=True, tag="arrival"):
    """An object was stored and is about to be acknowledged.

    ``session`` is its association's number, ``transfer`` what the audit trail calls what that brings, ``took_s``
    how long it took from its last byte until it was durable.
    """

    session: int
    calling_ae: str
    address: str
    object_uid: str
    stored: StoredObject
    took_s: float
    transfer: str


class Twin(Struct, frozen=True, kw_only=True, tag="twin"):
    """An object that was stored has the UID of one in another study; both stay in use. ``path`` is its file."""

    calling_ae: str
    object_uid: str
    study_uid: str
    other_study_uid: str
    path: str


class Refusal(Struct, frozen=True, kw_only=True, tag="refusal"):
    """A connection, an association or an object was not accepted."""

    cause: Cause
    calling_ae: str
    address: str
    reason: str


class Ending(Struct, frozen=True, kw_only=True, tag="ending"):
    """An association that was accepted has ended, in order or not."""

    session: int
    calling_ae: str
    address: str
    was_released: bool


class Standing(Struct, frozen=True, kw_only=True, tag="standing"):
    """An association has fallen behind the least pace, or has caught up."""

    session: int
    is_behind: bool


class Listing(Struct, frozen=True, kw_only=True, tag="listing"):
    """A sender has said which objects it has sent: a request for storage commitment names them all."""

    object_uids: frozenset[str]


class Disclosure(Struct, frozen=True, kw_only=True, tag="disclosure"):
    """Objects, or what is known of them, are about to be given out; ``studies`` says how many of which."""

    calling_ae: str
    address: str
    studies: dict[str, int]
    is_query: bool = False


Event: TypeAlias = Arrival | Twin | Refusal | Ending | Standing | Listing | Disclosure

Notify: TypeAlias = Callable[[Event], None]
