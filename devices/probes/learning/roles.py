"""What each field of a session is likely to be: counts, a total, a smoothed rate, time, battery, and why.

What speaks for counts is how they scatter. Of Poisson counts that are not smoothed the variance is the mean, and
half the mean square of the difference of neighbours is the variance (von Neumann, Ann. Math. Stat. 12 (1941) 367):
their ratio is 1 where neighbours have nothing in common, and 1 - rho where their correlation is rho. Of an
exponential mean with time constant tau, taken each T, rho is exp(-T / tau).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from devices.probes.learning.fields import Field
from devices.probes.learning.words import (
    BATTERY,
    COUNTING,
    CPS_PER_UNIT,
    DOSE,
    HIGH_VOLTAGE,
    TEMPERATURE,
    TIME,
)

Role = Literal[
    "counts", "total", "rate", "time", "battery", "temperature", "high voltage", "dose", "word", "unknown"
]

LEAST_VALUES: Final = 8
"""Values in a phase from which on their scatter says something."""
LEAST_RISE: Final = 1.5
LEAST_SIGMAS: Final = 5.0
SCATTER: Final = (0.3, 3.0)
"""Variance by mean that counts can show in some twenty values."""
LEAST_FREE: Final = 0.45
"""Of von Neumann's ratio: below it neighbours have events in common."""
FREE: Final = 0.9
"""And above it a time constant that would be made of it says nothing."""
GREATEST: Final = 2.0**53
"""Below it a float holds each whole number."""
STEADY: Final = 0.02
"""Of a clock's steps: relative scatter, more than which a clock of milliseconds on a busy wire does not have."""
CLOCK_RATES: Final = (1.0, 10.0, 100.0, 1000.0, 1e6)
"""Steps of a clock in a second."""
EXPLAINED: Final[tuple[tuple[Role, frozenset[str]], ...]] = (
    ("high voltage", HIGH_VOLTAGE),
    ("battery", BATTERY),
    ("temperature", TEMPERATURE),
    ("time", TIME),
    ("dose", DOSE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a field is likely to be.

    Attributes
    ----------
    field
        The field.
    role
        What it is; "counts", "total" and "rate" are what can be counted with.
    reason
        Why, in words.
    score
        How much speaks for its being what counts; 0: nothing.
    rises
        Whether it rose as the source came; None where none was held to it.
    correlation_s
        Time constant that its neighbours' likeness suggests, s; None where they are free.
    dispersion
        Variance by mean; None where it cannot be told.

    """

    field: Field
    role: Role
    reason: str
    score: float = 0.0
    rises: bool | None = None
    correlation_s: float | None = None
    dispersion: float | None = None


def judge(field: Field, times_s: Sequence[float], source_at_s: float | None) -> Judgement:
    """Judge a field by the words beside it and by how its values go."""
    if field.form == "word":
        seen = ", ".join(sorted({text.decode("latin-1") for text in field.texts})[:6])
        return Judgement(field=field, role="word", reason=f"a word: {seen}")
    word = next(iter(sorted(field.hints & COUNTING)), "")
    for role, words in EXPLAINED:
        if (found := sorted(field.hints & words)) and not word:
            return Judgement(field=field, role=role, reason=f"{found[0]!r} stands beside it")
    if field.is_constant:
        return Judgement(field=field, role="unknown", reason="it never changed", score=1.0 if word else 0.0)
    values, times = field.values, np.array(times_s)
    if not np.all(np.abs(values) < GREATEST):
        return Judgement(field=field, role="unknown", reason="too large to be counts")
    if word not in CPS_PER_UNIT and np.all(np.diff(values) >= 0) and np.count_nonzero(np.diff(values)) > 2:
        return _judge_rising(field, word, times, source_at_s)
    return _judge_scatter(field, word, times, source_at_s)


def _judge_rising(field: Field, word: str, times: NDArray[np.float64], source_at_s: float | None) -> Judgement:
    steps, intervals_s = np.diff(field.values), np.diff(times)
    rate = float(steps.sum() / intervals_s.sum()) if intervals_s.sum() > 0 else 0.0
    scatter = float(np.std(steps) / steps.mean())
    if scatter == 0:
        return Judgement(
            field=field, role="time", reason=f"it rises by {steps[0]:g} with each line: a number or time"
        )
    if scatter < STEADY + float(np.std(intervals_s) / intervals_s.mean()) and any(
        abs(rate / clock - 1) < 1.5 * STEADY for clock in CLOCK_RATES
    ):
        return Judgement(field=field, role="time", reason=f"it rises by {rate:.4g} a second, steadily: a clock")
    reason = "it only rises, by steps that differ"
    if field.form == "decimal":
        return Judgement(field=field, role="unknown", reason=f"{reason}; with decimals it is no number of counts")
    rises = _rises(np.diff(field.values), times[1:], source_at_s)
    if rises is not None:
        reason += ", faster with the source" if rises else ", no faster with the source"
    if word:
        reason += f"; {word!r} stands beside it"
    return Judgement(field=field, role="total", reason=reason, score=1.0 + _score(word, rises=rises), rises=rises)


def _judge_scatter(field: Field, word: str, times: NDArray[np.float64], source_at_s: float | None) -> Judgement:
    values = field.values
    rises = _rises(values, times, source_at_s)
    dispersion, free = _scatter(values, times, source_at_s)
    said, score = [], _score(word, rises=rises)
    if word:
        said.append(f"{word!r} stands beside it")
    if rises is not None:
        said.append("it rose with the source" if rises else "it did not rise with the source")
    is_free = free is None or free >= LEAST_FREE
    is_counted = field.form != "decimal" and dispersion is not None and SCATTER[0] <= dispersion <= SCATTER[1]
    if is_counted and is_free:
        said.append(f"it scatters as counts do: variance by mean {dispersion:.2f}")
        score += 2.0
    elif not is_free:
        said.append("neighbours are alike: it is smoothed")
    if np.any(values < 0):
        said.append("it was below 0, as no count is")
        score = 0.0
    period_s = float(np.median(np.diff(times)))
    role: Role = "counts" if is_counted and is_free and _is_of_period(word, period_s) else "rate"
    return Judgement(
        field=field,
        role=role if score > 0 else "unknown",
        reason=", ".join(said) or "it changes, and nothing says why",
        score=max(score, 0.0),
        rises=rises,
        correlation_s=None if free is None or free > FREE else -period_s / math.log(1 - max(free, 0.01)),
        dispersion=dispersion,
    )


def _is_of_period(word: str, period_s: float) -> bool:
    """Say whether a number in the unit that stands beside it is the counts of one period."""
    return word not in CPS_PER_UNIT or abs(CPS_PER_UNIT[word] * period_s - 1) < 0.1


def _score(word: str, *, rises: bool | None) -> float:
    """Weigh a word that names counts, and the answer to the source, which alone proves it."""
    return (3.0 if word else 0.0) + (0.0 if rises is None else 4.0 if rises else -9.0)


def _phases(times: NDArray[np.float64], source_at_s: float | None) -> list[NDArray[np.bool_]]:
    """Give the lines before the source came, and those of the second half of the time with it, or all."""
    if source_at_s is None:
        return [np.ones(times.size, dtype=bool)]
    return [times < source_at_s, times >= (source_at_s + times[-1]) / 2]


def _rises(values: NDArray[np.float64], times: NDArray[np.float64], source_at_s: float | None) -> bool | None:
    """Say whether the values with the source are higher than those before, beyond doubt."""
    if source_at_s is None:
        return None
    before, after = (values[phase] for phase in _phases(times, source_at_s))
    if before.size < LEAST_VALUES / 2 or after.size < LEAST_VALUES / 2:
        return None
    error = math.sqrt(float(before.var() / before.size + after.var() / after.size))
    rise = float(after.mean() - before.mean())
    return rise > LEAST_SIGMAS * error and float(after.mean()) > LEAST_RISE * float(before.mean())


def _scatter(
    values: NDArray[np.float64], times: NDArray[np.float64], source_at_s: float | None
) -> tuple[float | None, float | None]:
    """Give the variance by the mean, and von Neumann's ratio, weighted over the phases that are long enough."""
    found = []
    for phase in _phases(times, source_at_s):
        chosen = values[phase]
        if chosen.size < LEAST_VALUES or chosen.mean() <= 0 or chosen.var() == 0:
            continue
        half_square = float(np.mean(np.diff(chosen) ** 2)) / 2
        found.append((chosen.size, half_square / float(chosen.mean()), half_square / float(chosen.var(ddof=1))))
    if not found:
        return None, None
    total = sum(size for size, _, _ in found)
    return sum(size * one for size, one, _ in found) / total, sum(size * one for size, _, one in found) / total
