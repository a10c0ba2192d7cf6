"""How a query's key matches a column (PS3.4 C.2.2.2): single value, list of UIDs, wildcard, range, anything."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, ColumnElement, func, literal, or_

Condition: TypeAlias = ColumnElement[bool]

WILDCARDS: Final = frozenset("*?")

_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_UID = re.compile(r"[0-9.]{1,64}")

LONGEST_VALUE: Final = 1024
MOST_UIDS: Final = 100


class Unanswerable(ValueError):
    """Raised when a query cannot be answered as it stands; the message says why."""


def match(column: Column[Any], value: str, *, is_sqlite: bool) -> Condition | None:
    """Make the condition that a column matches; None where everything does.

    Raises
    ------
    Unanswerable
        Where the value is none of the column's kind.

    """
    if not value or set(value) == {"*"}:
        return None
    if len(value) > LONGEST_VALUE:
        raise Unanswerable(f"a value of {len(value)} characters is too long")
    if "\0" in value:
        raise Unanswerable("a value with a null character matches nothing")
    vr = column.info["vr"]
    if vr in _BY_VR:
        return _BY_VR[vr](column, value)
    return _text(column, value, vr, is_sqlite=is_sqlite)


def _uids(column: Column[Any], value: str) -> Condition:
    uids = re.split(r"[,\\]", value)
    if len(uids) > MOST_UIDS:
        raise Unanswerable(f"{len(uids)} UIDs are too many: ask for {MOST_UIDS} at a time")
    if not all(map(_UID.fullmatch, uids)):
        raise Unanswerable(f"{value[:80]!r} is no UID, and no list of UIDs")
    return column.in_(uids)


def _number(column: Column[Any], value: str) -> Condition:
    if not re.fullmatch(r"[+-]?\d{1,9}", value):
        raise Unanswerable(f"{value[:80]!r} is no whole number")
    return column == int(value)


def _bounds(value: str, form: re.Pattern[str], said: str) -> tuple[str, str]:
    first, dash, last = value.partition("-")
    bounds = (first, last if dash else first)
    if not any(bounds) or not all(not bound or form.fullmatch(bound) for bound in bounds):
        raise Unanswerable(f"{value[:80]!r} is no {said}, and no range of two with a - between")
    return bounds


def _date(column: Column[Any], value: str) -> Condition:
    first, last = _bounds(value, _DATE, "date as 20260131")
    condition: Condition = column.is_not(None)
    if first:
        condition &= column >= first
    if last:
        condition &= column <= last
    return condition


def _time(column: Column[Any], value: str) -> Condition:
    first, last = _bounds(value, _TIME, "time as 0930 or 093000.5")
    condition: Condition = column.is_not(None)
    if first:
        condition &= column >= first
    if last:  # a time is as long as it is precise: 0930 is all of that minute
        condition &= or_(column <= last, column.like(f"{last}%"))
    return condition


_BY_VR: Final[dict[str, Callable[[Column[Any], str], Condition]]] = {
    "UI": _uids,
    "IS": _number,
    "US": _number,
    "DA": _date,
    "TM": _time,
}


def _text(column: Column[Any], value: str, vr: str, *, is_sqlite: bool) -> Condition:
    if vr == "PN":  # upper and lower case are alike in names
        return column.ilike(_like(value), escape="\\")
    if not WILDCARDS & set(value):
        return column == value
    if is_sqlite:  # whose LIKE tells no cases apart
        return func.glob(literal(value.replace("[", "[[]")), column) == 1
    return column.like(_like(value), escape="\\")


def _like(value: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return escaped.replace("*", "%").replace("?", "_")
