"""C-FIND as user (PS3.4 C.4.1, K.4.1): what a peer knows, up to a limit; unreadable answers are named."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from devices.clock import monotonic
from devices.dicom.clients.association import PLAIN, Hangup, PeerFailed, associated, silence
from devices.dicom.settings import Peer
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.identity import checked_uid

MESSAGE_ID: Final = 1

MOST_AFTER_CANCEL: Final = 1000
"""Answers that a peer may still have on their way when it is told to stop; one that sends more is left."""

CANCELLED: Final = 0xFE00
PENDING: Final = frozenset({0xFF00, 0xFF01})

LONGEST_S: Final = 300.0
"""The longest query, answers and all."""

Item = TypeVar("Item")


class UnreadableAnswer(ValueError):
    """Raised for an answer that lacks what it must have, or holds what is none; says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[Item]):
    """What a peer answered.

    Attributes
    ----------
    items
        Its answers, in its order.
    unreadable
        What is wrong with each answer that was left out.
    is_cut
        Whether it had more than the limit: ask for less.

    """

    items: tuple[Item, ...]
    unreadable: tuple[str, ...]
    is_cut: bool


def find(
    peer: Peer,
    query: Dataset,
    *,
    model: str,
    calling_ae: str,
    limit: int,
    read: Callable[[Dataset], Item],
    hangup: Hangup | None = None,
) -> Found[Item]:
    """Ask a peer, and read each answer; at the limit it is told to stop (C-CANCEL). Blocks: for a thread.

    Parameters
    ----------
    peer
        Whom to ask.
    query
        The identifier: what must match, and what is wanted.
    model
        SOP class of the query.
    calling_ae
        Our title.
    limit
        The most answers that are taken.
    read
        Reads one answer; raises ``UnreadableAnswer``.
    hangup
        Ends it from another thread.

    Raises
    ------
    PeerFailed
        Where it cannot be asked, does not answer in time, or answers with a failure.

    """
    # what is not ASCII in names that we ask for
    query.SpecificCharacterSet = "ISO_IR 192"
    contexts = [build_context(model, list(PLAIN))]
    with associated(peer, contexts, calling_ae=calling_ae, hangup=hangup) as association:
        return _ask(association, peer, query, model=model, limit=limit, read=read)


def _ask(
    association: Association,
    peer: Peer,
    query: Dataset,
    *,
    model: str,
    limit: int,
    read: Callable[[Dataset], Item],
) -> Found[Item]:
    items: list[Item] = []
    unreadable: list[str] = []
    answers = 0
    seen: Dataset | None = None
    ends_s = monotonic() + LONGEST_S
    for status, answer in association.send_c_find(query, model, msg_id=MESSAGE_ID):
        if "Status" not in status:
            raise PeerFailed(peer, silence(association))
        if status.Status not in PENDING:
            _check(peer, status, is_cut=answers > limit)
            break
        if status is seen:  # pynetdicom gives an answer that it cannot decode twice
            continue
        seen, answers = status, answers + 1
        if monotonic() > ends_s or answers > limit + MOST_AFTER_CANCEL:
            raise PeerFailed(peer, "its answers do not end: ask for less, by date or patient ID")
        if answers > limit:
            if answers == limit + 1:
                association.send_c_cancel(MESSAGE_ID, query_model=model)
            continue
        if answer is None:
            unreadable.append(f"answer {answers}: cannot be decoded")
            continue
        try:
            items.append(read(answer))
        except UnreadableAnswer as exc:
            unreadable.append(f"answer {answers}: {exc}")
    else:
        raise PeerFailed(peer, silence(association))
    return Found(items=tuple(items), unreadable=tuple(unreadable), is_cut=answers > limit)


def _check(peer: Peer, status: Dataset, *, is_cut: bool) -> None:
    if status.Status == 0x0000 or (is_cut and status.Status == CANCELLED):
        return
    comment = str(status.get("ErrorComment", "") or "its log tells more")
    raise PeerFailed(peer, f"it answers the query with status {status.Status:04X}: {comment}")


def value(answer: Dataset, keyword: str) -> Any:
    """Read a value; None where it is missing. Raises ``UnreadableAnswer``."""
    try:
        return answer.get(keyword)
    # pydicom decodes a value when it is read, and raises whatever its parser trips over
    except Exception as exc:
        raise UnreadableAnswer(f"{keyword} cannot be read: {exc}") from exc


def text(answer: Dataset, keyword: str) -> str:
    """Read a value as text, of a multiple one its parts with commas; empty where it is missing."""
    found = value(answer, keyword)
    if found is None:
        return ""
    return ", ".join(str(part).strip() for part in (found if isinstance(found, MultiValue) else [found]))


def uid(answer: Dataset, keyword: str) -> str:
    """Read a UID that an answer must have; raises ``UnreadableAnswer``."""
    found = text(answer, keyword)
    if not found:
        raise UnreadableAnswer(f"it has no {keyword}")
    try:
        return checked_uid(found, name=keyword)
    except UnreadableObject as exc:
        raise UnreadableAnswer(str(exc)) from exc


def day(answer: Dataset, keyword: str) -> date | None:
    """Read a date (VR DA); None where it is missing. Raises ``UnreadableAnswer`` for what is none."""
    found = text(answer, keyword)
    if not found:
        return None
    for form in ("%Y%m%d", "%Y.%m.%d"):  # the second before 1993 (PS3.5 table 6.2-1, note)
        try:
            return datetime.strptime(found, form).date()  # noqa: DTZ007 - a day in the peer's own zone
        except ValueError:
            continue
    raise UnreadableAnswer(f"{keyword} is no date: {found[:20]!r}")


def days(since: date | None, until: date | None) -> str:
    """Encode a range of days for matching (PS3.4 C.2.2.2.5); empty for any."""
    since_text, until_text = (f"{day:%Y%m%d}" if day else "" for day in (since, until))
    return since_text if since_text == until_text else f"{since_text}-{until_text}"
