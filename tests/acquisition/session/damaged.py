"""A procedure's record that a disk has damaged."""

from pathlib import Path

PAGE_BYTES = 4096
"""Of a database (SQLite file format, 1.2)."""


def damage(path: Path) -> None:
    """Overwrite all of a record but its first page: it opens, and nothing of it can be read."""
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write(b"\xff" * (path.stat().st_size - PAGE_BYTES))
