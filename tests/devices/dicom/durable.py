"""What is durable, as a test sees it: what a power cut would leave (fsync(2)): names apart from bytes."""

import os
import stat
from pathlib import Path


class Disk:
    """What is on the disk for sure: of each folder the names, of each file the bytes, as last synchronised."""

    def __init__(self) -> None:
        self._fsync = os.fsync
        self._names: dict[int, dict[str, int]] = {}
        self._contents: dict[int, bytes] = {}

    def synchronise(self, descriptor: int) -> None:
        """Do as fsync does, and note what is durable from then on."""
        self._fsync(descriptor)
        place, there = Path(f"/proc/self/fd/{descriptor}").readlink(), os.fstat(descriptor)
        if stat.S_ISDIR(there.st_mode):
            self._names[there.st_ino] = {path.name: path.stat().st_ino for path in place.iterdir()}
        else:
            self._contents[there.st_ino] = place.read_bytes()

    def read(self, path: Path) -> bytes:
        """What a power cut leaves of one file; nothing where it leaves no such name."""
        names = self._names.get(path.parent.stat().st_ino, {})
        return self._contents.get(names.get(path.name, 0), b"")

    def left(self, folder: Path) -> dict[str, bytes]:
        """Files of the studies of a store that a power cut leaves, by path, with what it leaves of them."""
        names = self._names.get(folder.stat().st_ino, {})
        return {
            f"{study}/{name}": self._contents.get(inode, b"")
            for study, found in names.items()
            if not study.startswith(".")
            for name, inode in self._names.get(found, {}).items()
        }
