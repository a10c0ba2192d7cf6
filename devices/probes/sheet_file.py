"""Reads a sheet's file, and says what is wrong with it in words that whoever wrote it can use."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from devices.probes.sheet import Bound, Checksum, Counting, Fields, Framing, Greeting, Mark, Part, Poll, Sheet


class SheetError(Exception):
    """Raised where a sheet cannot be used; the message has one line for each fault."""


TABLES: Final[Mapping[str, type[Part]]] = {
    "framing": Framing,
    "fields": Fields,
    "counting": Counting,
    "checksum": Checksum,
    "marks": Mark,
    "bounds": Bound,
    "start": Greeting,
    "poll": Poll,
}
"""The sheet's tables by name."""


def read_sheet(path: Path) -> Sheet:
    """Read and check a sheet.

    Raises
    ------
    SheetError
        With the file, and for each fault the key and what is wrong.

    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SheetError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        hint = "; write patterns in 'single quotes', which keep backslashes" if "Unescaped" in str(exc) else ""
        raise SheetError(f"{path}: is no TOML: {exc}{hint}") from exc
    try:
        return Sheet.model_validate(content)
    except ValidationError as exc:
        faults = [
            f"{'.'.join(map(str, one['loc'])) or 'the sheet'}: {_explain(one['type'], one['loc'], one['msg'])}"
            for one in exc.errors()
        ]
        raise SheetError("\n".join(f"{path}: {fault}" for fault in faults)) from exc


def _explain(kind: str, place: tuple[int | str, ...], message: str) -> str:
    """Say what is wrong with a key; of one that does not exist, where it belongs or what it may have meant."""
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    key, tables = str(place[-1]), {name for name in place[:-1] if isinstance(name, str)}
    if tables and key in Sheet.model_fields:
        return f"{key} stands above the first [table], beside name and baud_rate"
    holder = next((TABLES[name] for name in tables), Sheet)
    nearest = difflib.get_close_matches(key, holder.model_fields, n=1, cutoff=0.5)
    return "no such key: " + (
        f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(sorted(holder.model_fields))}"
    )
