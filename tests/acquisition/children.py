"""Processes that a test's own process runs beside itself."""

from contextlib import suppress
from pathlib import Path


def children(module: str) -> list[int]:
    """Processes that run a module for this one; those that have ended have no command line."""
    listed = [_read(thread / "children") for thread in Path("/proc/self/task").iterdir()]
    found = " ".join(listed).split()
    return [int(child) for child in found if module in _read(Path(f"/proc/{child}/cmdline"))]


def _read(path: Path) -> str:
    """Read it; empty where thread or process has ended meanwhile."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return path.read_text()
    return ""
