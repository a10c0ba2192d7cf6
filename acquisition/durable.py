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
    encoded = msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
        file.write(encoded)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
