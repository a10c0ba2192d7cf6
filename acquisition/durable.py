"""Small files that are found whole or not at all, also after a power cut."""

import os
from pathlib import Path

import msgspec


def write_whole(path: Path, content: msgspec.Struct) -> None:
    """Write a struct as JSON that a person can read; a reader finds the old file or the new one.

    Raises
    ------
    OSError
        Where it cannot be written; the old file stays.

    """
    write_file(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def write_file(path: Path, content: bytes) -> None:
    """Write a file; a reader finds the old one or the new one.

    Raises
    ------
    OSError
        Where it cannot be written; the old file stays.

    """
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
