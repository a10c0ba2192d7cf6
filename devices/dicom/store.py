"""Where received objects are kept: on the disk, whole, before anyone is told so.

An object is written beside its place, synchronised, renamed into place, and its folder synchronised; only then
does ``put`` return. Whatever else happens, a file under its final name is complete. The data set's bytes are
those that came over the wire.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Self

from devices.dicom.identity import checked_uid
from devices.dicom.part10 import FileMeta, is_same_object, read_sender

INCOMING = ".incoming"
"""Subfolder for files that are not complete; emptied at start."""

LOCK = ".lock"

MEGABYTE = 1_000_000


class Kept(StrEnum):
    """What became of an object that was put."""

    NEW = "new"
    AGAIN = "again"
    """The same bytes were there: one copy is kept."""
    CONFLICT = "conflict"
    """Other bytes were there under the same UID: both are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that is on the disk."""

    path: Path
    kept: Kept


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


class ObjectStore:
    """A folder of studies, each a folder of DICOM files named by UID.

    Use ``open``: only one store at a time may write to a folder. ``put`` may be called from several threads.
    """

    def __init__(self, folder: Path, *, free_floor_mb: int) -> None:
        self._folder = folder
        self._incoming = folder / INCOMING
        self._free_floor_mb = free_floor_mb
        self._placing = threading.Lock()

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

    def put(self, data_set: BytesIO, *, study_uid: str, meta: FileMeta) -> StoredObject:
        """Store one object durably; when this returns, a power cut does not lose it.

        Raises
        ------
        UnreadableObject
            Where a UID is none, so that no path may be made of it.
        StorageFull
            Where it would leave less than the floor; nothing is written then.
        OSError
            Where the disk refuses; nothing of the object is left then.

        """
        study = self._folder / checked_uid(study_uid, name="Study Instance UID (0020,000D)")
        object_uid = checked_uid(meta.object_uid, name="SOP Instance UID (0008,0018)")
        self._check_space(data_set.getbuffer().nbytes)
        written = self._write(data_set, meta)
        try:
            with self._placing:
                return self._place(written, data_set, study=study, object_uid=object_uid, meta=meta)
        finally:
            written.unlink(missing_ok=True)

    def studies(self) -> Iterator[StoredStudy]:
        """Every study in the folder, its objects by name."""
        for study in sorted(self._folder.iterdir()):
            objects = tuple(sorted(study.glob("*.dcm"))) if study.is_dir() else ()
            if study.name != INCOMING and objects:
                yield StoredStudy(study_uid=study.name, calling_ae=read_sender(objects[-1]), objects=objects)

    def _check_space(self, size: int) -> None:
        free_mb = (shutil.disk_usage(self._folder).free - size) // MEGABYTE
        if free_mb < self._free_floor_mb:
            raise StorageFull(
                f"storing would leave {max(free_mb, 0)} MB free in {self._folder}, less than the floor of "
                f"{self._free_floor_mb} MB: make room, or lower free_floor_mb"
            )

    def _write(self, data_set: BytesIO, meta: FileMeta) -> Path:
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(descriptor, "wb") as file, data_set.getbuffer() as content:
                file.write(meta.to_bytes())
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            Path(name).unlink()
            raise
        return Path(name)

    def _place(
        self, written: Path, data_set: BytesIO, *, study: Path, object_uid: str, meta: FileMeta
    ) -> StoredObject:
        place, kept = study / f"{object_uid}.dcm", Kept.NEW
        if place.exists():
            digest = hashlib.sha256(meta.transfer_syntax.encode())
            with data_set.getbuffer() as content:
                digest.update(content)
            first, place = place, study / f"{object_uid}.{digest.hexdigest()[:16]}.dcm"
            kept = Kept.CONFLICT
            for there in (first, place):
                if there.exists() and is_same_object(there, data_set, transfer_syntax=meta.transfer_syntax):
                    _synchronise(study)  # whoever placed it may have been killed before doing so
                    return StoredObject(path=there, kept=Kept.AGAIN)
        if not study.exists():
            study.mkdir(mode=0o700)
            _synchronise(self._folder)
        written.rename(place)
        _synchronise(study)
        return StoredObject(path=place, kept=kept)


def _synchronise(folder: Path) -> None:
    # a rename is durable only once its folder is (fsync(2), NOTES)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
