"""What it takes so that a power cut loses nothing: whole writes, synchronised files, synchronised folders."""

import os
from pathlib import Path


def write_whole(descriptor: int, content: memoryview | bytes) -> None:
    """Write all of it; raises ``OSError`` where the disk refuses."""
    written = os.write(descriptor, content)
    while written < len(content):  # a full disk writes in part before it refuses
        written += os.write(descriptor, content[written:])


def synchronise_folder(folder: Path) -> None:
    """Make the names in a folder durable: a link or rename is only once its folder is (fsync(2), NOTES)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder where there is none, and its name durable.

    Also where it is there: whoever made it may not have come to that.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    synchronise_folder(folder.parent)


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
        write_whole(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    written.replace(path)
    synchronise_folder(path.parent)
