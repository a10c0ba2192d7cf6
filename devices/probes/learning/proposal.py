"""Writes the sheet that a session suggests, with the reasons, and tries it on that very session."""

import json
import math
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import Final

from devices.framing import Frame
from devices.probes.learning.fields import CHECK_NAME, escape
from devices.probes.learning.kinds import Reading, Stray, find_strays, read_kinds
from devices.probes.learning.lines import LEAST_LINES, name_line_end, read_lines
from devices.probes.learning.roles import Judgement
from devices.probes.learning.session import Session
from devices.probes.learning.words import CPS_PER_UNIT
from devices.probes.sheet import Sheet
from devices.probes.trying import Trial, replay_sheet

PERIODS_S: Final = (0.01, 0.02, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
LONGEST_PERIOD_S: Final = 4.0
"""A sheet's own bound."""
LEAST_GREATEST_CPS: Final = 100_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What the host sends to the instrument, as whoever calls knows it.

    Attributes
    ----------
    begin, stop
        Once at the beginning and at the end.
    ask
        For each line; empty where it speaks by itself.
    every_s
        How often it is asked, s.

    """

    begin: str = ""
    stop: str = ""
    ask: str = ""
    every_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a session taught.

    Attributes
    ----------
    sentence
        What came of it, and what to do.
    text
        The sheet, TOML; empty where none can be proposed.
    needs_source
        Whether a source, held to it while it is recorded, would tell what counts.
    trial
        What the sheet makes of the session.

    """

    sentence: str
    text: str = ""
    needs_source: bool = False
    trial: Trial | None = None


def propose(session: Session, *, name: str, sending: Sending) -> Proposal:
    """Propose a sheet for what sent the lines of a session."""
    frames = read_lines(session.chunks)
    readings = read_kinds(frames, session.source_at_s)
    if not readings:
        return Proposal(
            sentence=f"{len(frames)} lines came, and no {LEAST_LINES} of one kind: record for longer (--seconds)"
        )
    reading = max(readings, key=lambda one: one.best.score if one.best else 0.0)
    doubt = _doubt(reading, session)
    if doubt is not None:
        return doubt
    best = reading.best
    assert best is not None  # noqa: S101 - without one there is doubt; for the type checker
    if best.role == "rate" and best.field.form == "hexadecimal":
        return Proposal(
            sentence=f"{best.field.name!r} is likely what counts, in hexadecimal, and does not scatter as counts "
            "do: a sheet cannot undo the smoothing of such a number; record for longer, with a steady source"
        )
    period_s = _period_s(reading)
    if period_s > LONGEST_PERIOD_S:
        return Proposal(
            sentence=f"a line comes each {period_s:.3g} s, and a sheet's each {LONGEST_PERIOD_S:g} s or sooner"
            ": set the instrument to send more often"
        )
    if best.role != "total" and not _is_steady(reading, period_s):
        return Proposal(
            sentence=f"{best.field.name!r} is likely what counts, but its lines come at no steady pace: what does "
            "not say in which time it counted cannot be read by a sheet"
        )
    text = _write(session, reading, readings, frames, name=name, sending=sending, period_s=period_s)
    return _tried(session, text)


def _tried(session: Session, text: str) -> Proposal:
    """Read the session by the sheet, as a driver would."""
    trial = replay_sheet(Sheet.model_validate(tomllib.loads(text)), session, say=lambda _: None)
    return Proposal(
        sentence=f"of the session's {trial.frames} lines it makes {trial.readings} readings, and refuses "
        f"{trial.rejected}",
        text=text,
        trial=trial,
    )


def _doubt(reading: Reading, session: Session) -> Proposal | None:
    """Say why it cannot be told what counts; None where it can."""
    best = reading.best
    seen = "; ".join(f"{one.field.name}: {one.reason}" for one in reading.judgements) or "no number"
    if session.source_at_s is not None:
        if best is not None and best.rises:
            return None
        return Proposal(
            sentence="nothing rose beyond doubt when the source was held to it, so nothing can be said to count: "
            f"hold a stronger one, hold it longer, or write the sheet by hand. What was seen: {seen}"
        )
    if best is not None and best.role in {"counts", "total", "rate"} and best.score >= 3.0:
        return None
    return Proposal(
        sentence=f"without a source it cannot be told which number counts. What was seen: {seen}",
        needs_source=True,
    )


def _period_s(reading: Reading) -> float:
    """Give the time from line to line: the usual figure that is within 4 % of it, or what was measured."""
    gaps_s = [after - before for before, after in pairwise(reading.kind.times_s)]
    typical_s = reading.kind.gap_s
    measured_s = mean([gap for gap in gaps_s if 0.5 * typical_s <= gap <= 1.5 * typical_s] or [typical_s])
    near = [period for period in PERIODS_S if abs(measured_s / period - 1) < 0.04]
    return near[0] if near else float(f"{measured_s:.3g}")


def _is_steady(reading: Reading, period_s: float) -> bool:
    """Say whether most lines come a period after the one before."""
    gaps_s = [after - before for before, after in pairwise(reading.kind.times_s)]
    near = sum(0.5 * period_s <= gap <= 1.5 * period_s for gap in gaps_s)
    return near >= 0.7 * len(gaps_s)


def _write(
    session: Session,
    reading: Reading,
    readings: Sequence[Reading],
    frames: Sequence[Frame],
    *,
    name: str,
    sending: Sending,
    period_s: float,
) -> str:
    best = reading.best
    assert best is not None  # noqa: S101 - propose() has seen to it; for the type checker
    strays = find_strays(frames, readings)
    ignored = [_unnamed(other.pattern) for other in readings if other is not reading]
    length_s = frames[-1].began_at_s - frames[0].began_at_s
    lines = [
        f"# Proposed by `radionav instrument learn` from {len(frames)} lines in {length_s:.0f} s. It is a guess",
        "# with reasons: compare each figure with the instrument's own display, with a source near, far and away.",
        f"name = {_toml(name)}",
        f"baud_rate = {session.baud_rate}",
        *_character(session),
        *_lists(ignored, strays),
        *([f"begin = {_toml(sending.begin)}"] if sending.begin else []),
        *([f"stop = {_toml(sending.stop)}"] if sending.stop else []),
        "",
        "[framing]",
        f'kind = "line"  # ended by {name_line_end(session.received)}',
        "",
        "[fields]          # words and short codes that never changed must stand: a line with others is refused",
        f"pattern = '{reading.pattern}'",
        *(f"# {one.field.name}: {_role(one, best)}: {one.reason}" for one in reading.judgements),
        "",
        *_counting(best, period_s),
    ]
    if reading.checksum is not None:
        found = reading.checksum
        lines += [
            "",
            f"[checksum]        # fits {found.share:.0%} of the lines",
            f'rule = "{found.rule}"',
            f'field = "{CHECK_NAME}"',
            *([f"covers_from = {found.covers_from}"] if found.covers_from else []),
            *([f"omits = {found.omits}"] if found.omits else []),
            *(["lower_first = true"] if found.lower_first else []),
        ]
    if sending.ask:
        lines += ["", "[poll]", f"send = {_toml(sending.ask)}", f"every_s = {sending.every_s:g}"]
    return "\n".join([*lines, "", *_untold(reading, best, sending)]) + "\n"


def _character(session: Session) -> list[str]:
    if session.character == "8N1":
        return []
    return [f'character = "{session.character}"  # one stop bit or two cannot be told by listening']


def _lists(ignored: Sequence[str], strays: Sequence[Stray]) -> list[str]:
    greetings = dict.fromkeys(_any_numbers(one.raw) for one in strays if one.is_greeting)
    others = dict.fromkeys(show_line(one.raw) for one in strays if not one.is_greeting)
    lines = [f"ignore = {_quoted(ignored)}  # lines without a count"] if ignored else []
    if greetings:
        lines.append(f"restarts = {_quoted(greetings)}  # what it says when it starts")
    return lines + [f"# ? a line of no kind, which is refused: {one}" for one in list(others)[:5]]


def _any_numbers(raw: bytes) -> str:
    """Write a line as a pattern in which a version may be another."""
    return r"\d+".join(escape(part) for part in re.split(rb"\d+", raw))


def _toml(text: str) -> str:
    """Write a basic string; JSON's escapes are TOML's, but for the one that JSON does not need."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _quoted(patterns: Iterable[str]) -> str:
    return "[" + ", ".join(f"'{one}'" for one in patterns) + "]"


def show_line(raw: bytes) -> str:
    """Write a line so that it can stand in a comment."""
    return "".join(chr(number) if 0x20 <= number < 0x7F else f"\\x{number:02x}" for number in raw[:80])


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def _role(one: Judgement, best: Judgement) -> str:
    if one is best:
        return f"likely what counts ({one.role})"
    return f"likely {one.role}" if one.role not in {"unknown", "word"} else "not used"


def _counting(best: Judgement, period_s: float) -> list[str]:
    field = best.field
    lines = ["[counting]", f'field = "{field.name}"', f'quantity = "{best.role}"', f"period_s = {period_s:g}"]
    if field.form == "hexadecimal":
        lines.append("base = 16")
    width = len(field.texts[0])
    is_fixed = "{" in field.pattern and "," not in field.pattern
    if best.role == "counts" and is_fixed:
        lines.append(
            f"full_at = {(16 if field.form == 'hexadecimal' else 10) ** width - 1}  # all its digits full"
        )
    if best.role == "total":
        steps = max(after - before for before, after in pairwise(field.values))
        greatest_cps = max(LEAST_GREATEST_CPS, 10 * steps / period_s)
        lines += [
            f"greatest_cps = {greatest_cps:g}  # ? a guess: no probe counts faster",
            "# wraps_at = 4294967296  # ? where it goes on at 0 was not seen: without it that costs one reading",
        ]
    if best.role == "rate":
        lines += _smoothing(best, period_s)
    return lines


def _smoothing(best: Judgement, period_s: float) -> list[str]:
    unit = next((CPS_PER_UNIT[hint] for hint in sorted(best.field.hints) if hint in CPS_PER_UNIT), None)
    tau_s = max(best.correlation_s or 0.0, period_s / 2)
    alike = math.exp(-period_s / tau_s)
    hint = ""
    if best.dispersion:
        hint = f"; its scatter suggests about {(1 - alike) / (2 * tau_s * best.dispersion):.2g}"
    why = "its neighbours are alike" if best.correlation_s else "half a period: its neighbours are not alike"
    return [
        f"cps_per_unit = {unit or 1.0:.6g}  # {'by its unit' if unit else '? its unit is not known'}{hint}",
        f"time_constant_s = {tau_s:.2g}  # ? {why}; measure it: take a source away and see when 37 % is left",
    ]


def _untold(reading: Reading, best: Judgement, sending: Sending) -> list[str]:
    """Say what listening cannot tell."""
    untold = [
        "which number says that it is overloaded: hold a strong source to it and write [[marks]] for what changes",
        "its dead time: `acquire` measures it",
        "who it is: nothing asks, so another one on the same port is not noticed; [[start]] can ask",
    ]
    if reading.checksum is None:
        untold.append("no checksum that a sheet knows fits: a changed digit cannot be found out")
    if not sending.begin and not sending.ask:
        untold.append("whether it must be told to send when it has just been switched on")
    others = [
        one.field.name
        for one in reading.judgements
        if one is not best and one.score > 0 and one.rises is not False
    ]
    if others:
        untold.append(f"whether {' or '.join(others)} is the better one: it looks like counts too")
    return ["# What listening could not tell:", *(f"# - {one}" for one in untold)]
