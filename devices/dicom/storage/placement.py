"""Under which name an object is kept, where others may be there already.

Of several files under one UID the one with the plain name is in use: it is read, found, given out and sent.
The others stand aside, a label of what they hold in their names. So the files alone say which is in use.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from devices.dicom.storage.part10 import EMPTY, FileMeta, UnreadableFile, is_same_object, measure

LABEL_DIGITS = 16
"""Of the label in the name of a file beside another under the same UID."""


class Kept(StrEnum):
    """What became of an object."""

    NEW = "new"
    AGAIN = "again"
    """The same bytes were there: one copy is kept."""
    CONFLICT = "conflict"
    """Other bytes are in use under the same UID: both are kept, this one aside."""
    REPLACED = "replaced"
    """Other bytes were in use under the same UID: both are kept, this one is in use."""
    REJECTED = "rejected"
    """Other bytes were there under the same UID: this one was not kept, and the sender is told."""


class OnConflict(StrEnum):
    """What to do with other bytes under a UID that is there."""

    KEEP_FIRST = "keep first"
    REPLACE = "replace"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that is on the disk.

    Attributes
    ----------
    name
        Of its file, in the folder of its study.
    kept
        What became of it.
    study_uid
        Its study.
    size_bytes
        Of its data set, as received.
    replaced
        The name that the file has which was in use before.

    """

    name: str
    kept: Kept
    study_uid: str
    size_bytes: int
    replaced: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The files of a study: those in use, by name, and those aside, by the UID that others have in use."""

    objects: tuple[Path, ...]
    aside: Mapping[str, tuple[Path, ...]]


def place_object(written: str, meta: FileMeta, study: Path, *, on_conflict: OnConflict) -> StoredObject:
    """Give a synchronised file its name in the folder of its study, and make that durable.

    ``meta`` says what it is, its UID checked. The name that the file had may be left.
    """
    name = f"{meta.object_uid}.dcm"
    stored = StoredObject(name=name, kept=Kept.NEW, study_uid=study.name, size_bytes=(meta.seal or EMPTY).size)
    folder = os.open(study, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            # of two that bring the same object at once, one does this
            os.link(written, f"{study}/{name}")
        except FileExistsError:
            # never two such objects of a study at a time, whichever threads and processes they come in by
            fcntl.flock(folder, fcntl.LOCK_EX)
            stored = _place_beside(Path(written), study / name, stored, meta, on_conflict=on_conflict)
            fcntl.flock(folder, fcntl.LOCK_UN)
        # also for an object that was there already: whoever placed it may have been killed before this
        os.fsync(folder)
    finally:
        os.close(folder)
    return stored


def sort_out(objects: Iterable[Path]) -> Used:
    """Tell the files of a study that are in use from those aside."""
    there = sorted(objects)
    names = {path.name for path in there}
    labelled: dict[Path, list[Path]] = {}
    for path in there:
        plain = f"{_labelled(path.name)}.dcm"
        if plain in names:
            labelled.setdefault(path.with_name(plain), []).append(path)
    own = {place: _of_its_uid(place, paths) for place, paths in labelled.items()}
    beside = {path for paths in own.values() for path in paths}
    aside = {place.stem: tuple(_aside(place, paths)) for place, paths in own.items()}
    return Used(
        objects=tuple(path for path in there if path not in beside),
        aside={uid: paths for uid, paths in aside.items() if paths},
    )


_LABELLED = re.compile(rf"(.+)\.[0-9a-f]{{{LABEL_DIGITS}}}\.dcm")


def _labelled(name: str) -> str:
    """Give the UID in the name of a file that may be aside; empty where it cannot be."""
    found = _LABELLED.fullmatch(name)
    return "" if found is None else found[1]


def _of_its_uid(place: Path, paths: Iterable[Path]) -> list[Path]:
    """Leave out files of other objects, whose UIDs may end like a label."""
    return [path for path in paths if _meta(path).object_uid == place.stem]


def _aside(place: Path, paths: Iterable[Path]) -> list[Path]:
    own = _of_its_uid(place, paths)
    name = _beside(place, _meta(place)).name if own else ""
    return [path for path in own if path.name != name]


def _place_beside(
    written: Path, place: Path, stored: StoredObject, meta: FileMeta, *, on_conflict: OnConflict
) -> StoredObject:
    """Deal with a file where there is one at ``place``, under its plain name."""
    if _is_same(place, written):
        return replace(stored, kept=Kept.AGAIN)
    if on_conflict is OnConflict.REPLACE:
        replaced = _set_aside(place)
        written.rename(place)
        return replace(stored, kept=Kept.REPLACED, replaced=replaced.name)
    beside = _beside(place, meta)
    if _is_same(beside, written):
        return replace(stored, name=beside.name, kept=Kept.AGAIN)
    if on_conflict is OnConflict.REJECT:
        return replace(stored, kept=Kept.REJECTED)
    beside.hardlink_to(written)
    return replace(stored, name=beside.name, kept=Kept.CONFLICT)


def _set_aside(place: Path) -> Path:
    """Give the file that is replaced the name that it has from then on; it may have it from an earlier time."""
    beside = _beside(place, _meta(place))
    if not _is_same(beside, place):
        beside.hardlink_to(place)  # never over another: should two labels be alike, it is refused
    return beside


def _is_same(there: Path, other: Path) -> bool:
    try:
        return is_same_object(there, other)
    except (FileNotFoundError, UnreadableFile):  # a damaged one is nobody's copy
        return False


def _beside(place: Path, meta: FileMeta) -> Path:
    """Name a file beside the one in use by what its data set is and how encoded."""
    seal = meta.seal or EMPTY
    label = EMPTY.over(meta.transfer_syntax.encode()).over(seal.to_bytes()).checksum
    return place.with_name(f"{place.stem}.{label:0{LABEL_DIGITS}x}.dcm")


def _meta(path: Path) -> FileMeta:
    """Read what a file is, its seal made where it has none; empty where it cannot be read."""
    try:
        meta, offset = FileMeta.read(path)
    except UnreadableFile:
        return FileMeta(sop_class_uid="", object_uid="", transfer_syntax="", calling_ae="")
    return meta if meta.seal is not None else replace(meta, seal=measure(path, offset))
