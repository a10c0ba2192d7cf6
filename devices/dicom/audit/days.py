"""The files of the audit trail: one a day, a message of JSON a line, which nothing removes by itself."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from devices.dicom.storage.durability import synchronise_folder

FOLDER: Final = ".audit"
"""Subfolder of the store's."""


class Days:
    """The files in one store's folder.

    Parameters
    ----------
    folder
        The store's.

    Attributes
    ----------
    folder
        Where they are.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add(self, message: dict[str, Any], at: datetime, *, is_durable: bool = False) -> None:
        """Add a message to its day's file; raises ``OSError`` where the disk refuses.

        With ``is_durable`` a power cut does not lose it any more when this returns.
        """
        with (self.folder / f"{_day(at)}.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(message) + b"\n")
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        if is_durable:
            synchronise_folder(self.folder)  # it may be the first of its day

    def find(
        self, is_wanted: Callable[[bytes], bool], *, since: datetime | None = None
    ) -> Iterator[dict[str, Any]]:
        """Give the messages whose lines are wanted, oldest first, those of the day of ``since`` or later."""
        first = _day(since) if since is not None else ""
        for path in sorted(path for path in self.folder.glob("*.jsonl") if path.stem >= first):
            with path.open("rb") as lines:
                for line in filter(is_wanted, lines):
                    with suppress(msgspec.DecodeError):  # cut short by a full disk
                        yield msgspec.json.decode(line)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
