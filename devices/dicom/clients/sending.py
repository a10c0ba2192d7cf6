"""Objects of ours to a destination: the storage service as user (PS3.4 annex B), one association at a time."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from devices.dicom.clients.answers import Answer, Fate, judge
from devices.dicom.clients.association import PeerFailed, associated, silence
from devices.dicom.settings import Peer
from devices.dicom.storage.part10 import FileMeta, UnreadableFile, is_sound

MOST_CONTEXTS: Final = 128
"""Presentation contexts in one association: their identifiers are odd numbers of one byte (PS3.8 9.3.2.2)."""


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
    try:
        answer = association.send_c_store(path, msg_id=message_id)
    except RuntimeError:  # pynetdicom's, where the association has ended since it was looked at
        return None
    if "Status" not in answer:
        return None
    fate, reason = judge(answer.Status)
    comment = str(answer.get("ErrorComment", "") or "")
    return Answer(path=path, fate=fate, status=answer.Status, reason=": ".join(filter(None, (reason, comment))))


def _not_accepted(path: Path, meta: FileMeta) -> Answer:
    sop_class, syntax = UID(meta.sop_class_uid).name, UID(meta.transfer_syntax).name
    reason = f"it does not accept {sop_class} in {syntax}: switch that on there; nothing is converted"
    return Answer(path=path, fate=Fate.REFUSED, status=None, reason=reason)
