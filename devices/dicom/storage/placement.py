"""Under which name an object is kept, where others may be there already."""

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from devices.dicom.storage.part10 import EMPTY, FileMeta, UnreadableFile, is_same_object

LABEL_DIGITS = 16
"""Of the label in the name of a file beside another under the same UID."""


class Kept(StrEnum):
    """What became of an object."""

    NEW = "new"
    AGAIN = "again"
    """The same bytes were there: one copy is kept."""
    CONFLICT = "conflict"
    """Other bytes were there under the same UID: both are kept."""
    REPLACED = "replaced"
    """Other bytes were there under the same UID: both are kept, this one under the plain name."""
    REJECTED = "rejected"
    """Other bytes were there under the same UID: this one was not kept, and the sender is told."""


class OnConflict(StrEnum):
    """What to do with other bytes under a UID that is there."""

    KEEP_FIRST = "keep first"
    REPLACE = "replace"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that is on the disk."""

    path: Path
    kept: Kept
    study_uid: str
    size_bytes: int
    """Of its data set, as received."""


def place_object(written: str, meta: FileMeta, study: Path, *, on_conflict: OnConflict) -> StoredObject:
    """Give a synchronised file its name in the folder of its study, and make that durable.

    ``meta`` says what it is, its UID checked. The name that the file had may be left.
    """
    place, size_bytes = study / f"{meta.object_uid}.dcm", (meta.seal or EMPTY).size
    folder = os.open(study, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            # of two that bring the same object at once, one does this
            os.link(written, place)
            stored = StoredObject(path=place, kept=Kept.NEW, study_uid=study.name, size_bytes=size_bytes)
        except FileExistsError:
            # never two such objects of a study at a time, whichever threads and processes they come in by
            fcntl.flock(folder, fcntl.LOCK_EX)
            path, kept = _place_beside(Path(written), meta, place, on_conflict=on_conflict)
            fcntl.flock(folder, fcntl.LOCK_UN)
            stored = StoredObject(path=path, kept=kept, study_uid=study.name, size_bytes=size_bytes)
        # also for an object that was there already: whoever placed it may have been killed before this
        os.fsync(folder)
    finally:
        os.close(folder)
    return stored


def files_beside(path: Path) -> list[Path]:
    """Find the other files under the UID of the one with the plain name."""
    return [
        other
        for other in path.parent.glob(f"{path.stem}.{'?' * LABEL_DIGITS}.dcm")
        if _object_uid(other) == path.stem  # the UID of another object may end like a label
    ]


def conflicting_uids(objects: Iterable[Path]) -> frozenset[str]:
    """Find the UIDs that several files of a study have, by their names."""
    there = set(objects)
    split = ((path, *path.stem.rpartition(".")[::2]) for path in there)
    return frozenset(
        uid
        for path, uid, label in split
        if len(label) == LABEL_DIGITS and path.with_name(f"{uid}.dcm") in there and _object_uid(path) == uid
    )


def _object_uid(path: Path) -> str:
    try:
        return FileMeta.read(path)[0].object_uid
    except UnreadableFile:
        return ""


def _place_beside(written: Path, meta: FileMeta, place: Path, *, on_conflict: OnConflict) -> tuple[Path, Kept]:
    beside = place.with_name(f"{place.stem}.{_label(meta)}.dcm")
    for there in (place, beside):
        if there.exists() and is_same_object(there, written):
            return there, Kept.AGAIN
    match on_conflict:
        case OnConflict.KEEP_FIRST:
            written.rename(beside)
            return beside, Kept.CONFLICT
        case OnConflict.REPLACE:
            _set_aside(place)
            written.rename(place)
            return place, Kept.REPLACED
        case OnConflict.REJECT:
            return place, Kept.REJECTED


def _label(meta: FileMeta) -> str:
    """Tell apart files under one UID: by what their data sets are and how encoded."""
    seal = meta.seal or EMPTY
    return f"{EMPTY.over(meta.transfer_syntax.encode()).over(seal.to_bytes()).checksum:0{LABEL_DIGITS}x}"


def _set_aside(there: Path) -> None:
    """Give the file that is replaced the name that it would have had beside another, in one step."""
    meta, _ = FileMeta.read(there)
    beside = there.with_name(f"{there.stem}.{_label(meta)}.dcm")
    beside.unlink(missing_ok=True)
    beside.hardlink_to(there)
