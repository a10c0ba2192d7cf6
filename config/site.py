"""Reads a site file, and says what is wrong with it in words: which key, what, and the nearest known key."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.settings import Site


class SiteFileError(Exception):
    """Raised when a site file cannot be used; the message has one line for each fault."""


def read_site(path: Path) -> Site:
    """Read and check a site file; relative paths in it are relative to its folder.

    Raises
    ------
    SiteFileError
        With the file, and for each fault the key, what is wrong and, for an unknown key, the nearest known one.

    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SiteFileError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SiteFileError(f"{path}: is no TOML: {exc}") from exc
    try:
        return Site.model_validate(content).beside(path.parent)
    except ValidationError as exc:
        schema = Site.model_json_schema()
        faults = [
            _say_driver(fault["loc"], fault["input"], schema)
            if fault["type"] in ("union_tag_not_found", "union_tag_invalid")
            else _say(fault["loc"], fault["type"], fault["msg"], schema)
            for fault in exc.errors()
        ]
        raise SiteFileError("\n".join(f"{path}: {fault}" for fault in faults)) from exc


def _say(location: Sequence[int | str], kind: str, message: str, schema: Mapping[str, Any]) -> str:
    """Put one fault into words."""
    parents, key = location[:-1], location[-1] if location else ""
    known = _known_keys(parents, schema)
    # a driver's name stands in the location of its keys, though it is no key of the file
    is_driver = [place == 2 and part in _drivers(str(location[0]), schema) for place, part in enumerate(location)]
    named = (
        ".".join(str(part) for part, skipped in zip(location, is_driver, strict=True) if not skipped) or "the file"
    )
    if kind == "extra_forbidden":
        nearest = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(sorted(known))}"
        return f"unknown key {named!r}: {hint}"
    if kind == "missing":
        return f"key {named!r} is missing"
    sentence = message.removeprefix("Value error, ")
    return f"{named}: {sentence}" if location else sentence


def _say_driver(location: Sequence[int | str], table: object, schema: Mapping[str, Any]) -> str:
    """Put into words that a table names no driver, or none that there is."""
    named = ".".join(str(part) for part in location)
    given = {str(key): value for key, value in table.items()} if isinstance(table, Mapping) else {}
    if "driver" in given:
        drivers = _drivers(str(location[0]), schema)
        nearest = difflib.get_close_matches(str(given["driver"]), drivers, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(sorted(drivers))}"
        return f"unknown driver {given['driver']!r} in '{named}.driver': {hint}"
    mistyped = difflib.get_close_matches("driver", given, n=1, cutoff=0.5)
    hint = f"; did you mean it by {mistyped[0]!r}?" if mistyped else ""
    return f"key '{named}.driver' is missing{hint}"


def _drivers(section: str, schema: Mapping[str, Any]) -> set[str]:
    """Give the drivers that a section's tables choose from; none where they choose from nothing."""
    tables = schema["properties"].get(section, {}).get("additionalProperties")
    choices = tables.get("discriminator", {}).get("mapping", {}) if isinstance(tables, Mapping) else {}
    return set(choices)


def _known_keys(parents: Sequence[int | str], schema: Mapping[str, Any]) -> list[str]:
    """Find the keys of the table at ``parents`` by walking the JSON schema."""
    here: Mapping[str, Any] = schema
    for part in parents:
        here = _step(here, str(part), schema)
    return list(_resolved(here, schema).get("properties", {}))


def _step(here: Mapping[str, Any], part: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    here = _resolved(here, schema)
    if part in here.get("discriminator", {}).get("mapping", {}):
        return {"$ref": here["discriminator"]["mapping"][part]}
    if part in here.get("properties", {}):
        return dict(here["properties"][part])
    inner = here.get("additionalProperties") or here.get("items") or {}
    return inner if isinstance(inner, Mapping) else {}


def _resolved(here: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and choose the table of an optional one."""
    while "$ref" in here or "anyOf" in here:
        if "anyOf" in here:
            here = next(choice for choice in here["anyOf"] if choice.get("type") != "null")
        else:
            here = schema["$defs"][here["$ref"].rsplit("/", 1)[-1]]
    return here
