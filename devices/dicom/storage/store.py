"""Where received objects are kept: on the disk, whole, before anyone is told so.

An object is written beside its place while it comes in, synchronised, moved into place, and its folder
synchronised; only then does ``keep`` return. Whatever else happens, a file under its final name is complete. The
data set's bytes are those that came over the wire.
"""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from devices.dicom.storage.durability import make_folder, synchronise_folder
from devices.dicom.storage.identity import checked_uid
from devices.dicom.storage.part10 import FileMeta, UnreadableFile
from devices.dicom.storage.placement import OnConflict, StoredObject, place_object, sort_out
from devices.dicom.storage.spool import Spool

INCOMING = ".incoming"
"""Subfolder for files that are not complete; emptied at start."""

LOCK = ".lock"

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy:
    """A study found in the folder: its objects that are in use, and those aside by their UID."""

    study_uid: str
    calling_ae: str
    objects: tuple[Path, ...]
    aside: Mapping[str, tuple[Path, ...]]


class StorageFull(OSError):
    """Raised when storing would leave less free space than the floor."""


class FolderInUse(OSError):
    """Raised when another node keeps its objects in the same folder."""


class FolderDiffers(Exception):
    """Raised when a study's folder does not hold what it is thought to."""


class ObjectStore:
    """A folder of studies, each a folder of DICOM files named by UID.

    Use ``open``: only one node at a time may write to a folder. Spools may be kept by several threads, and by
    stores of the same node in other processes, at once.
    """

    def __init__(self, folder: Path, *, free_floor_mb: int) -> None:
        self._folder = folder
        self._incoming = folder / INCOMING
        self._free_floor_mb = free_floor_mb
        self._studies: dict[str, Path] = {}

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
        made = [above for above in folder.parents if not above.exists()]
        store._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        # the folder itself also where it is there: whoever made it may not have come to that
        for named in (folder, *made):
            synchronise_folder(named.parent)
        with (folder / LOCK).open("w") as lock:
            try:
                # held by the open file, so that the kernel gives it up however the process ends
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise FolderInUse(f"{folder} is in use by another storage node") from exc
            for left in store._incoming.iterdir():
                _delete(left)
            synchronise_folder(folder)
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

    @property
    def free_bytes(self) -> int:
        """Room on the disk; raises ``OSError`` where the folder is gone."""
        there = os.statvfs(self._folder)
        return there.f_bavail * there.f_frsize

    def check_space(self) -> None:
        """Raise ``StorageFull`` where less than the floor is free."""
        free_mb = self.free_bytes // MEGABYTE
        if free_mb < self._free_floor_mb:
            raise StorageFull(
                f"{free_mb} MB are free in {self._folder}, less than the floor of {self._free_floor_mb} MB: "
                "make room, or lower free_floor_mb"
            )

    def studies(self) -> Iterator[StoredStudy]:
        """Every study in the folder, its objects by name."""
        for study in sorted(self._folder.iterdir()):
            if study.name.startswith(".") or not study.is_dir():
                continue
            if (found := self.study(study.name)) is not None:
                yield found

    def study(self, study_uid: str) -> StoredStudy | None:
        """Give one study, its objects by name; None where there is none of it."""
        used = sort_out((self._folder / study_uid).glob("*.dcm"))
        if not used.objects:
            return None
        return StoredStudy(
            study_uid=study_uid,
            calling_ae=_sender(used.objects[-1]),
            objects=used.objects,
            aside=used.aside,
        )

    def find(self, object_uids: Collection[str]) -> dict[str, Path]:
        """Files of these objects, in whatever study they are; one that is not there is not in the answer."""
        names, found = {f"{uid}.dcm": uid for uid in object_uids}, {}
        for study in self._folder.iterdir():
            if study.is_dir() and not study.name.startswith("."):
                found.update(
                    {names[name]: study / name for name in names.keys() & {path.name for path in study.iterdir()}}
                )
        return found

    def check_holds(self, study_uid: str, names: set[str]) -> None:
        """Raise ``FolderDiffers`` where a study's folder holds other files than these."""
        there = {path.name for path in (self._folder / study_uid).iterdir()}
        if there != names:
            differing = ", ".join(sorted(there ^ names))
            raise FolderDiffers(f"its folder and the index differ: {differing}")

    def remove(self, study_uid: str) -> None:
        """Remove a study with all of its files, in one step; only for whoever holds the folder's lock.

        Raises
        ------
        OSError
            Where the disk refuses.

        """
        leaving = self._incoming / study_uid
        (self._folder / study_uid).rename(leaving)
        synchronise_folder(self._folder)
        _delete(leaving)  # or the next start does

    def place(self, written: str, meta: FileMeta, *, study_uid: str, on_conflict: OnConflict) -> StoredObject:
        """Move a synchronised file into its place, and make that durable; for ``Spool``.

        Raises
        ------
        UnreadableObject
            Where a UID is none, so that no path may be made of it.
        OSError
            Where the disk refuses.

        """
        checked_uid(meta.object_uid, name="SOP Instance UID (0008,0018)")
        study = self._studies.get(study_uid) or self._make(study_uid)
        try:
            return place_object(written, meta, study, on_conflict=on_conflict)
        except FileNotFoundError:
            if study.is_dir():
                raise
            # somebody has removed the folder since
            return place_object(written, meta, self._make(study_uid), on_conflict=on_conflict)

    def _make(self, study_uid: str) -> Path:
        study = self._folder / checked_uid(study_uid, name="Study Instance UID (0020,000D)")
        make_folder(study)
        self._studies[study_uid] = study
        return study


def _delete(left: Path) -> None:
    if left.is_dir():
        shutil.rmtree(left)
    else:
        left.unlink()


def _sender(path: Path) -> str:
    try:
        return FileMeta.read(path)[0].calling_ae
    except UnreadableFile:
        return ""
