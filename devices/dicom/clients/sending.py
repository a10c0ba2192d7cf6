"""Objects of ours to a destination: the storage service as user (PS3.4 annex B), one association at a time."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from devices.dicom.clients.association import PeerFailed, associated, silence
from devices.dicom.settings import Peer
from devices.dicom.storage.part10 import FileMeta, UnreadableFile, is_sound

MOST_CONTEXTS: Final = 128
"""Presentation contexts in one association: their identifiers are odd numbers of one byte (PS3.8 9.3.2.2)."""


class Fate(StrEnum):
    """What became of an object that was to be sent."""

    STORED = "stored"
    """The destination has it, perhaps with a warning."""
    REFUSED = "refused"
    """It will not be taken as it is: asking again does not help."""
    POSTPONED = "postponed"
    """It was not taken this time."""


_LATER: Final = frozenset({0x0110, 0x0210, 0x0213})
"""Processing failure, duplicate invocation, resource limitation (PS3.7 annex C)."""

_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})
"""Warnings outside Bxxx (PS3.7 annex C.4)."""

_MEANINGS: Final = {
    0x0110: "processing failure",
    0x0111: "it has other bytes under this UID",
    0x0117: "it takes the object's UID for none",
    0x0122: "it does not take this class of objects",
    0x0124: "not authorised: our AE title may not store there",
    0x0210: "duplicate invocation",
    0x0213: "resource limitation",
    0xB000: "some elements were coerced",
    0xB006: "some elements were discarded",
    0xB007: "the data set does not match its class",
}

_RANGES: Final = {
    0xA7: "out of resources: make room there",
    0xA9: "the data set does not match its class",
    **dict.fromkeys(range(0xC0, 0xD0), "it cannot understand the object"),
}
"""Statuses by their upper byte (PS3.4 table B.2-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a destination said of one object.

    ``status`` is that of its C-STORE response, None where there was none to be had; ``reason`` says it in words,
    empty for plain Success.
    """

    path: Path
    fate: Fate
    status: int | None
    reason: str


def judge(status: int) -> tuple[Fate, str]:
    """Say what a status of C-STORE means for the object (PS3.4 table B.2-1, PS3.7 annex C)."""
    if status == 0x0000:
        return Fate.STORED, ""
    meaning = _MEANINGS.get(status) or _RANGES.get(status >> 8, "its log tells")
    if status >> 12 == 0xB or status in _WARNINGS:
        return Fate.STORED, f"stored with warning {status:04X}: {meaning}"
    is_passing = status >> 8 == 0xA7 or status in _LATER
    return Fate.POSTPONED if is_passing else Fate.REFUSED, f"{status:04X}: {meaning}"


def send(peer: Peer, paths: Sequence[Path], *, calling_ae: str) -> Generator[Answer]:
    """Send files in the transfer syntax that each has, and give the answer to each as it comes.

    What cannot be read, is not what was received, or is of a class or syntax that the peer does not accept is
    refused; the others are sent. Blocks: for a thread.

    Raises
    ------
    PeerFailed
        Where the association is not opened, or breaks; what has not been answered may be sent again.

    """
    metas: dict[Path, FileMeta] = {}
    for path in paths:
        try:
            metas[path] = _read(path)
        except (OSError, UnreadableFile) as exc:
            yield Answer(path=path, fate=Fate.REFUSED, status=None, reason=str(exc))
    offers = sorted({_offer(meta) for meta in metas.values()})
    for start in range(0, len(offers), MOST_CONTEXTS):
        some = offers[start : start + MOST_CONTEXTS]
        chosen = [path for path, meta in metas.items() if _offer(meta) in some]
        contexts = [build_context(sop_class, syntax) for sop_class, syntax in some]
        with associated(peer, contexts, calling_ae=calling_ae) as association:
            accepted = {
                (context.abstract_syntax, syntax)
                for context in association.accepted_contexts
                for syntax in context.transfer_syntax
            }
            for number, path in enumerate(chosen):
                if _offer(metas[path]) not in accepted:
                    yield _not_accepted(path, metas[path])
                    continue
                if not association.is_established:
                    raise PeerFailed(peer, silence(association))
                answer = _store(association, path, message_id=number % 65535 + 1)
                if answer is None:
                    why = silence(association)
                    # said of the object too, so that one at which a peer breaks off comes last the next time
                    yield Answer(path=path, fate=Fate.POSTPONED, status=None, reason=why)
                    raise PeerFailed(peer, why)
                yield answer


def _offer(meta: FileMeta) -> tuple[str, str]:
    return meta.sop_class_uid, meta.transfer_syntax


def _read(path: Path) -> FileMeta:
    meta, _ = FileMeta.read(path)
    if meta.seal is not None and not is_sound(path):
        raise UnreadableFile(f"{path} is not what was received: the disk, or somebody, has changed it")
    return meta


def _store(association: Association, path: Path, *, message_id: int) -> Answer | None:
    answer = association.send_c_store(path, msg_id=message_id)
    if "Status" not in answer:
        return None
    fate, reason = judge(answer.Status)
    comment = str(answer.get("ErrorComment", "") or "")
    return Answer(path=path, fate=fate, status=answer.Status, reason=": ".join(filter(None, (reason, comment))))


def _not_accepted(path: Path, meta: FileMeta) -> Answer:
    sop_class, syntax = UID(meta.sop_class_uid).name, UID(meta.transfer_syntax).name
    reason = f"it does not accept {sop_class} in {syntax}: switch that on there; nothing is converted"
    return Answer(path=path, fate=Fate.REFUSED, status=None, reason=reason)
