"""Where received objects are kept: on the disk, whole, before anyone is told so.

An object is written beside its place while it comes in, synchronised, moved into place, and its folder
synchronised; only then does ``keep`` return. Whatever else happens, a file under its final name is complete. The
data set's bytes are those that came over the wire.
"""

import fcntl
import itertools
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from devices.dicom.identity import Identity, checked_uid, read_identity
from devices.dicom.part10 import EMPTY, FileMeta, UnreadableFile, is_same_object

INCOMING = ".incoming"
"""Subfolder for files that are not complete; emptied at start."""

LOCK = ".lock"

MEGABYTE = 1_000_000

FLOOR_CHECK_BYTES = 64 * MEGABYTE
"""So many bytes of an object are written between two looks at the free space."""

_numbers = itertools.count(1)
"""For the names of files that come in, after the number of the process."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy:
    """A study found in the folder."""

    study_uid: str
    calling_ae: str
    objects: tuple[Path, ...]


class StorageFull(OSError):
    """Raised when storing would leave less free space than the floor."""


class FolderInUse(OSError):
    """Raised when another node keeps its objects in the same folder."""


class ObjectMismatch(ValueError):
    """Raised when a data set is not the object that its request names."""


class Spool:
    """One object while it comes in: a file beside its place, gone when ``discard`` is called before ``keep``.

    Made by ``ObjectStore.begin``.
    """

    def __init__(self, store: "ObjectStore", meta: FileMeta, *, folder: Path) -> None:
        self._store = store
        self._meta = meta
        self._seal = EMPTY
        self._unchecked = 0
        self._is_placed = False
        self._path = folder / f"{os.getpid()}-{next(_numbers)}"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            header = meta.to_bytes()
            self._offset = len(header)
            _write(self._descriptor, header)
        except BaseException:
            self.discard()
            raise

    @property
    def size(self) -> int:
        """Bytes of the data set so far."""
        return self._seal.size

    def write(self, content: memoryview | bytes) -> None:
        """Add bytes to the data set.

        Raises
        ------
        StorageFull
            Where it would leave less than the floor.
        OSError
            Where the disk refuses.

        """
        self._unchecked += len(content)
        if self._unchecked > FLOOR_CHECK_BYTES:
            self._store.check_space()
            self._unchecked = 0
        _write(self._descriptor, content)
        self._seal = self._seal.over(content)

    def identify(self) -> Identity:
        """Read which object it is, and whether it holds together.

        Raises
        ------
        UnreadableObject
            Where it does not.

        """
        return read_identity(self._read, self._seal.size, transfer_syntax=self._meta.transfer_syntax)

    def keep(self, on_conflict: OnConflict = OnConflict.KEEP_FIRST) -> StoredObject:
        """Store it durably; when this returns, a power cut does not lose it. Takes as long as the disk does.

        Raises
        ------
        UnreadableObject
            Where it does not hold together or a UID is none, so that no path may be made of it.
        ObjectMismatch
            Where the data set is another object than its request said.
        OSError
            Where the disk refuses; nothing of the object is left then.

        """
        try:
            identity = self.identify()
            if identity.object_uid != self._meta.object_uid:
                raise ObjectMismatch(
                    f"request says {self._meta.object_uid}, its data set says {identity.object_uid}"
                )
            seal = self._seal.to_bytes()
            os.pwrite(self._descriptor, seal, self._offset - len(seal))
            os.fsync(self._descriptor)
            meta = replace(self._meta, seal=self._seal)
            stored = self._store.place(self._path, meta, study_uid=identity.study_uid, on_conflict=on_conflict)
            self._is_placed = stored.kept not in {Kept.AGAIN, Kept.REJECTED}
            return stored
        finally:
            self.discard()

    def discard(self) -> None:
        """Close the file, and remove it unless it has its place."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if not self._is_placed:
                self._path.unlink(missing_ok=True)  # a node that began meanwhile removes it as well

    def _read(self, place: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, self._offset + place)


class ObjectStore:
    """A folder of studies, each a folder of DICOM files named by UID.

    Use ``open``: only one node at a time may write to a folder. Spools may be kept by several threads, and by
    stores of the same node in other processes, at once.
    """

    def __init__(self, folder: Path, *, free_floor_mb: int) -> None:
        self._folder = folder
        self._incoming = folder / INCOMING
        self._free_floor_mb = free_floor_mb
        self._studies: set[Path] = set()

    @classmethod
    @contextmanager
    def open(cls, folder: Path, *, free_floor_mb: int) -> Iterator[Self]:
        """Make the folder if need be, take its lock, and remove what an earlier end left incomplete.

        Raises
        ------
        FolderInUse
            Where another process holds the lock.
        OSError
            Where the folder cannot be made or written.

        """
        store = cls(folder, free_floor_mb=free_floor_mb)
        store._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            try:
                # held by the open file, so that the kernel gives it up however the process ends
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise FolderInUse(f"{folder} is in use by another storage node") from exc
            for left in store._incoming.iterdir():
                left.unlink()
            _synchronise(folder)
            yield store

    def begin(self, meta: FileMeta) -> Spool:
        """Begin an object whose data set is to come.

        Raises
        ------
        StorageFull
            Where less than the floor is free; nothing is written then.
        OSError
            Where the disk refuses.

        """
        self.check_space()
        return Spool(self, meta, folder=self._incoming)

    def check_space(self) -> None:
        """Raise ``StorageFull`` where less than the floor is free."""
        free_mb = shutil.disk_usage(self._folder).free // MEGABYTE
        if free_mb < self._free_floor_mb:
            raise StorageFull(
                f"{free_mb} MB are free in {self._folder}, less than the floor of {self._free_floor_mb} MB: "
                "make room, or lower free_floor_mb"
            )

    def studies(self) -> Iterator[StoredStudy]:
        """Every study in the folder, its objects by name."""
        for study in sorted(self._folder.iterdir()):
            objects = tuple(sorted(study.glob("*.dcm"))) if study.is_dir() else ()
            if not study.name.startswith(".") and objects:
                yield StoredStudy(study_uid=study.name, calling_ae=_sender(objects[-1]), objects=objects)

    def find(self, object_uids: Collection[str]) -> dict[str, Path]:
        """Files of these objects, in whatever study they are; one that is not there is not in the answer."""
        names, found = {f"{uid}.dcm": uid for uid in object_uids}, {}
        for study in self._folder.iterdir():
            if study.is_dir() and not study.name.startswith("."):
                found.update(
                    {names[name]: study / name for name in names.keys() & {path.name for path in study.iterdir()}}
                )
        return found

    def place(self, written: Path, meta: FileMeta, *, study_uid: str, on_conflict: OnConflict) -> StoredObject:
        """Move a synchronised file into its place, and synchronise that; for ``Spool``."""
        study = self._folder / checked_uid(study_uid, name="Study Instance UID (0020,000D)")
        object_uid = checked_uid(meta.object_uid, name="SOP Instance UID (0008,0018)")
        if study not in self._studies:
            # also where it is there already: whoever made it may not have come to this yet
            study.mkdir(mode=0o700, exist_ok=True)
            _synchronise(self._folder)
            self._studies.add(study)
        folder = os.open(study, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # never two objects of a study at a time, whichever threads and processes they come in by
            fcntl.flock(folder, fcntl.LOCK_EX)
            stored = _place(written, meta, study / f"{object_uid}.dcm", on_conflict=on_conflict)
            fcntl.flock(folder, fcntl.LOCK_UN)
            # a rename is durable only once its folder is (fsync(2), NOTES); of an object that was there already,
            # whoever placed it may have been killed before this
            os.fsync(folder)
        finally:
            os.close(folder)
        return stored


def _place(written: Path, meta: FileMeta, place: Path, *, on_conflict: OnConflict) -> StoredObject:
    kept = Kept.NEW
    if place.exists():
        beside = place.with_name(f"{place.stem}.{_label(meta)}.dcm")
        for there in (place, beside):
            if there.exists() and is_same_object(there, written):
                return StoredObject(path=there, kept=Kept.AGAIN, study_uid=place.parent.name)
        match on_conflict:
            case OnConflict.KEEP_FIRST:
                place, kept = beside, Kept.CONFLICT
            case OnConflict.REPLACE:
                kept = Kept.REPLACED
                _set_aside(place)
            case OnConflict.REJECT:
                return StoredObject(path=place, kept=Kept.REJECTED, study_uid=place.parent.name)
    written.rename(place)
    return StoredObject(path=place, kept=kept, study_uid=place.parent.name)


def write_durably(path: Path, content: bytes) -> None:
    """Write a small file in place of what is there, as a whole or not at all.

    Raises
    ------
    OSError
        Where the disk refuses.

    """
    written = path.with_name(f".{path.name}.new")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    written.replace(path)
    _synchronise(path.parent)


def _label(meta: FileMeta) -> str:
    """Tell apart files under one UID: by what their data sets are and how encoded."""
    seal = meta.seal or EMPTY
    return f"{EMPTY.over(meta.transfer_syntax.encode()).over(seal.to_bytes()).checksum:016x}"


def _set_aside(there: Path) -> None:
    """Give the file that is replaced the name that it would have had beside another, in one step."""
    meta, _ = FileMeta.read(there)
    beside = there.with_name(f"{there.stem}.{_label(meta)}.dcm")
    beside.unlink(missing_ok=True)
    beside.hardlink_to(there)


def _sender(path: Path) -> str:
    try:
        return FileMeta.read(path)[0].calling_ae
    except UnreadableFile:
        return ""


def _write(descriptor: int, content: memoryview | bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):  # a full disk writes in part before it refuses
        written += os.write(descriptor, content[written:])


def _synchronise(folder: Path) -> None:
    # a rename is durable only once its folder is (fsync(2), NOTES)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
