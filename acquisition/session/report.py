"""What a procedure came to, gathered from its record: for whoever reads it after the operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from acquisition.session.journal import Entry, Journal
from acquisition.session.procedure import Procedure
from acquisition.session.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A target that was taken out: its mark, and the last look at its bed; None where none was taken."""

    marked: Entry
    look: Entry | None
    looks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A specimen: its count, what it was said to be of in turn, its last comparison, whether it was discarded."""

    counted: Entry
    labels: tuple[Entry, ...]
    compared: Entry | None
    discarded: Entry | None

    @property
    def of(self) -> str | None:
        """The target that it is said to be of, by the last label."""
        told = self.labels[-1].told if self.labels else self.counted.told
        return told["of"] if told["of"] is None else str(told["of"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A procedure as recorded.

    Attributes
    ----------
    procedure
        How it stands.
    begun
        Its first entry.
    is_simulated
        Whether any run of the service that it was part of was simulated.
    moves, marks, alerts, starts, cut_off
        Steps, marks, faults of devices, starts of the service, and counts that these cut off, in their order.
    drawn, erased
        Spots that persons drew in the plan, and those that they took back.
    sorts, checks
        What each hot spot was confirmed to be, and each item of the time-out, the last of each.
    found, taken_back, specimens, background
        Targets taken out; marks that were taken back; specimens; the bench's background as last counted.

    """

    procedure: Procedure
    begun: Entry
    is_simulated: bool
    moves: tuple[Entry, ...]
    marks: tuple[Entry, ...]
    alerts: tuple[Entry, ...]
    starts: tuple[Entry, ...]
    cut_off: tuple[Entry, ...]
    drawn: tuple[Entry, ...]
    erased: tuple[Entry, ...]
    sorts: Mapping[str, Entry]
    checks: Mapping[str, Entry]
    found: tuple[Found, ...]
    taken_back: tuple[Entry, ...]
    specimens: tuple[Counted, ...]
    background: Entry | None

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; None while it goes on."""
        return self.procedure.ended_at


def report_of(journal: Journal, number: int) -> Report | None:
    """Gather the report of the procedure that began with an entry; None where there is no such procedure."""
    entries = _entries_of(journal, number)
    if not entries:
        return None
    procedure = Procedure()
    for entry in entries:
        procedure = procedure.with_entry(entry)
    before = [entry for entry in journal.all_after(0) if entry.seq < number and entry.kind == "started"]
    starts = (*before[-1:], *_of(entries, "started"))
    restored = {entry.told["number"] for entry in _of(entries, "not removed")}
    return Report(
        procedure=procedure,
        begun=entries[0],
        is_simulated=any(entry.told["simulated"] for entry in starts),
        moves=_of(entries, "moved"),
        marks=_of(entries, "marked"),
        alerts=_of(entries, "alert"),
        starts=starts,
        cut_off=_of(entries, "cut off"),
        drawn=_of(entries, "drawn"),
        erased=_of(entries, "erased"),
        sorts={entry.told["name"]: entry for entry in _of(entries, "sorted")},
        checks={
            entry.told["item"]: entry
            for entry in _of(entries, "checked")
            if entry.told["item"] in procedure.checks
        },
        found=tuple(
            _found(entry, entries) for entry in _of(entries, "removed") if entry.told["number"] not in restored
        ),
        taken_back=_of(entries, "not removed"),
        specimens=tuple(_counted(entry, entries) for entry in _of(entries, "specimen counted")),
        background=next(reversed(_of(entries, "background counted")), None),
    )


def _entries_of(journal: Journal, number: int) -> list[Entry]:
    """Give the entries from the beginning of a procedure to its end, or to the beginning of the next."""
    found: list[Entry] = []
    for entry in journal.all_after(number - 1):
        if entry.kind == "begun" and entry.seq != number:
            break
        found.append(entry)
        if entry.kind == "moved" and entry.told["to"] == Step.ENDED:
            break
    return found if found and found[0].kind == "begun" else []


def _of(entries: Sequence[Entry], kind: str, **told: Any) -> tuple[Entry, ...]:
    return tuple(
        entry
        for entry in entries
        if entry.kind == kind and all(entry.told.get(name) == value for name, value in told.items())
    )


def _found(marked: Entry, entries: Sequence[Entry]) -> Found:
    looks = _of(entries, "looked", number=marked.told["number"])
    return Found(marked=marked, look=looks[-1] if looks else None, looks=len(looks))


def _counted(counted: Entry, entries: Sequence[Entry]) -> Counted:
    number = counted.told["number"]
    return Counted(
        counted=counted,
        labels=_of(entries, "specimen labelled", number=number),
        compared=next(reversed(_of(entries, "compared", number=number)), None),
        discarded=next(iter(_of(entries, "specimen discarded", number=number)), None),
    )
