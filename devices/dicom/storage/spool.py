"""One object while it comes in."""

import itertools
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from devices.dicom.storage.durability import write_whole
from devices.dicom.storage.identity import Identity, read_identity
from devices.dicom.storage.part10 import EMPTY, FileMeta
from devices.dicom.storage.placement import OnConflict, StoredObject

FLOOR_CHECK_BYTES: Final = 64_000_000
"""So many bytes of an object are written between two looks at the free space."""

_numbers = itertools.count(1)
"""For the names of files that come in, after the number of the process."""


class ObjectMismatch(ValueError):
    """Raised when a data set is not the object that its request names."""


class Shelf(Protocol):
    """Where an object goes."""

    def check_space(self) -> None:
        """Raise ``StorageFull`` where less than the floor is free."""

    def place(self, written: str, meta: FileMeta, *, study_uid: str, on_conflict: OnConflict) -> StoredObject:
        """Move a synchronised file into its place, and make that durable."""


class Spool:
    """One object while it comes in: a file beside its place, gone when ``discard`` is called before ``keep``.

    Made by ``ObjectStore.begin``.
    """

    def __init__(self, shelf: Shelf, meta: FileMeta, *, folder: Path) -> None:
        self._shelf = shelf
        self._meta = meta
        self._seal = EMPTY
        self._unchecked = 0
        self._header = meta.to_bytes()  # written when its seal is known
        self._path = f"{folder}/{os.getpid()}-{next(_numbers)}"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.lseek(self._descriptor, len(self._header), os.SEEK_SET)

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
            self._shelf.check_space()
            self._unchecked = 0
        write_whole(self._descriptor, content)
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
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            write_whole(self._descriptor, self._header[: -len(seal)] + seal)
            os.fsync(self._descriptor)
            meta = replace(self._meta, seal=self._seal)
            return self._shelf.place(self._path, meta, study_uid=identity.study_uid, on_conflict=on_conflict)
        finally:
            self.discard()

    def discard(self) -> None:
        """Close the file, and remove the name that it had while it came in; one that has its place keeps that."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with suppress(FileNotFoundError):  # a node that began meanwhile removes it as well
                os.unlink(self._path)  # noqa: PTH108 - a Path for each object costs more than the call

    def _read(self, place: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, len(self._header) + place)
