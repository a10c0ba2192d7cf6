"""Specimens counted ex vivo: each beside the hottest, by the ten-percent rule with its limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from rich.markup import escape
from rich.table import Table

from acquisition.counting.bench import Counting, LeftOut, OpenBench, told_count
from acquisition.counting.ending import Ending
from acquisition.counting.timed import OVERLOADED
from acquisition.logbook.records import Kind
from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Placement, emptied
from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.resection.specimens import ShareOfHottest, TenPercentRule, share_of_hottest
from navigation.statistics.count_ratio import Count as Events
from navigation.statistics.counting import Rate, net_rate
from navigation.statistics.limits import Verdict

RULES: Final = {
    Verdict.ABOVE: "more than {share:.0%} of the hottest: remove it",
    Verdict.BELOW: "less than {share:.0%} of the hottest",
    Verdict.UNDECIDED: "not decided",
}


class Specimens(Protocol):
    """Says what is counted next."""

    async def next(self, number: int) -> str | None:
        """Give the name of the next specimen, ``number`` from 1; None: there are no more."""


class Listed:
    """Specimens that are known beforehand."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    async def next(self, number: int) -> str | None:
        """Give the next of them."""
        return self._names[number - 1] if number <= len(self._names) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExVivo:
    """How specimens are counted.

    Attributes
    ----------
    specimens
        What is counted.
    placed
        How a specimen of a name is placed, the same way for each.
    count_s, background_s
        Length of each count, and of the background's, s.
    rule
        When one is hot.

    """

    specimens: Specimens
    placed: Callable[[str], Placement]
    count_s: float = 10.0
    background_s: float = 30.0
    rule: TenPercentRule = field(default_factory=TenPercentRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A specimen and how it compares.

    Attributes
    ----------
    name, count
        What was counted, and how.
    net
        Rate above background, without dead time; None where that cannot be told.
    share
        Of the hottest; None for the hottest, and where it cannot be told.
    said
        In words.

    """

    name: str
    count: Count
    net: Rate | None
    share: ShareOfHottest | None
    said: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; an upper limit that nothing bounds is None."""
        ratio = self.share.ratio if self.share else None
        upper = ratio.upper if ratio and ratio.upper < float("inf") else None
        return {
            "name": self.name,
            **told_count(self.count),
            "net_cps": self.net.rate_cps if self.net else None,
            "net_sigma_cps": self.net.sigma_cps if self.net else None,
            "share": ratio.best if ratio else None,
            "share_least": ratio.lower if ratio else None,
            "share_most": upper,
            "confidence": ratio.confidence if ratio else None,
            "verdict": self.share.verdict.value if self.share else None,
            "needed_s": self.share.needed_s if self.share else None,
            "of_hottest": self.of_hottest,
            "said": self.said,
        }

    @property
    def of_hottest(self) -> str:
        """Share of the hottest with its limits, in words."""
        if self.share is None:
            return ""
        ratio = self.share.ratio
        best = "" if ratio.best is None else f"{ratio.best:.1%} "
        upper = "any" if ratio.upper == float("inf") else f"{ratio.upper:.1%}"
        return f"{best}({ratio.lower:.1%} to {upper})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExVivoOutcome:
    """What the specimens came to.

    Attributes
    ----------
    probe, identity, person, is_simulated
        As in a record.
    background
        Of the bench; None where it ended before that was counted.
    counted
        The specimens; none is compared where it ended early.
    left_out
        Those that the technologist left out, with the reason.
    ending
        How it ended.
    number, is_refused
        Of its record; whether the logbook did not take it.

    """

    probe: str
    identity: str
    person: str
    is_simulated: bool
    background: Count | None
    counted: tuple[Counted, ...]
    left_out: tuple[str, ...]
    ending: Ending
    number: int | None = None
    is_refused: bool = False

    @property
    def passed(self) -> bool:
        """Whether it was made to its end, each specimen could be compared, and the logbook took it."""
        is_compared = all(each.share is not None or each.said == HOTTEST for each in self.counted)
        return bool(self.counted) and is_compared and not self.ending.aborted and not self.is_refused

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "probe": self.probe,
            "identity": self.identity,
            "person": self.person,
            "simulated": self.is_simulated,
            "record": self.number,
            "passed": self.passed,
            "background": told_count(self.background) if self.background else None,
            **self.ending.to_dict(),
            "specimens": [each.to_dict() for each in self.counted],
            "left_out": list(self.left_out),
        }


HOTTEST: Final = "the hottest"

NOT_COMPARED: Final = "not compared: another one could not be counted, and may be the hottest"

ENDED_EARLY: Final = "not compared: it ended before the last one was counted, which may be the hottest"


async def run_exvivo(counting: Counting, asked: ExVivo) -> ExVivoOutcome:
    """Count the bench and each specimen, compare them, show and record it.

    What ends early is recorded as that, with what had been counted, and nothing is compared.

    Raises
    ------
    DeviceError
        Where the probe cannot be opened.

    """
    tally = _Tally()
    async with counting.open() as at:
        ending = await at.until_ended(_count_all(at, asked, tally, counting.bench.device))
    background, specimens = tally.background, tally.specimens
    if background is None or ending.aborted:
        counted = _uncompared(specimens, background)
    else:
        counted = compare(specimens, background, half_life_s=counting.nuclide.half_life_s, rule=asked.rule)
    outcome = ExVivoOutcome(
        probe=counting.bench.probe,
        identity=at.identity,
        person=counting.bench.person,
        is_simulated=counting.bench.is_simulated,
        background=background,
        counted=counted,
        left_out=tuple(tally.left_out),
        ending=ending,
    )
    # the table first: the specimens may be gone when the logbook refuses
    counting.bench.console.print(_table(counted))
    if ending.aborted:
        counting.bench.console.print(f"[red]{escape(str(ending))}[/red]")
    passed = False if ending.aborted else None
    kept = await counting.record(Kind.EX_VIVO, at.identity, passed=passed, told=outcome.to_dict())
    return replace(outcome, number=kept.number) if kept else replace(outcome, is_refused=True)


@dataclass(slots=True)
class _Tally:
    """What has been counted so far."""

    background: Count | None = None
    specimens: list[tuple[str, Count]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


async def _count_all(at: OpenBench, asked: ExVivo, tally: _Tally, device: object) -> None:
    empty = Exposure(placement=emptied("every specimen and source", device), longest_s=asked.background_s)
    tally.background = await at.count(empty)
    number = 1
    while (name := await asked.specimens.next(number)) is not None:
        number += 1
        try:
            count = await at.count(Exposure(placement=asked.placed(name), longest_s=asked.count_s))
        except LeftOut as exc:
            at.go_on()
            tally.left_out.append(f"{name}: {exc}")
        else:
            tally.specimens.append((name, count))


def _uncompared(specimens: Sequence[tuple[str, Count]], background: Count | None) -> tuple[Counted, ...]:
    """Tell what was counted of each specimen where it ended early."""
    counted = []
    for name, count in specimens:
        above = _net(count, background) if background else None
        net = above if isinstance(above, Rate) else None
        counted.append(Counted(name=name, count=count, net=net, share=None, said=ENDED_EARLY))
    return tuple(counted)


def compare(
    specimens: Sequence[tuple[str, Count]], background: Count, *, half_life_s: float, rule: TenPercentRule
) -> tuple[Counted, ...]:
    """Compare each specimen with the hottest, decay between the counts taken off.

    Where one overloaded the instrument, or cannot be corrected, none is compared: it may be the hottest.
    """
    rates, refused = list[Rate](), dict[int, str]()
    for index, (_, count) in enumerate(specimens):
        net = _net(count, background)
        if isinstance(net, Rate):
            rates.append(net)
        else:
            refused[index] = net
    if refused:
        return tuple(
            Counted(name=name, count=count, net=None, share=None, said=refused.get(index, NOT_COMPARED))
            for index, (name, count) in enumerate(specimens)
        )

    def at_first_cps(index: int) -> float:
        elapsed_s = (specimens[index][1].middle_at - specimens[0][1].middle_at).total_seconds()
        return rates[index].rate_cps / decay_factor(half_life_s=half_life_s, elapsed_s=elapsed_s)

    hottest = max(range(len(specimens)), key=at_first_cps, default=0)
    counted = []
    for index, (name, count) in enumerate(specimens):
        share, said = None, HOTTEST
        if index != hottest:
            share, said = _share(count, specimens[hottest][1], background, half_life_s=half_life_s, rule=rule)
        counted.append(Counted(name=name, count=count, net=rates[index], share=share, said=said))
    return tuple(counted)


def _net(count: Count, background: Count) -> Rate | str:
    """Give a rate above background, or why there is none."""
    if count.is_overloaded or background.is_overloaded:
        return OVERLOADED
    try:
        return net_rate(count.true_rate, background.true_rate)
    except NavigationError as exc:
        return str(exc)


def _share(
    count: Count, hottest: Count, background: Count, *, half_life_s: float, rule: TenPercentRule
) -> tuple[ShareOfHottest | None, str]:
    under = _events(background, hottest)
    try:
        share = share_of_hottest(
            _events(count, hottest),
            _events(hottest, hottest),
            specimen_background=under,
            hottest_background=under,
            half_life_s=half_life_s,
            dead_time_s=count.dead_time_s,
            rule=rule,
        )
    except NavigationError as exc:
        return None, str(exc)
    said = RULES[share.verdict].format(share=rule.fraction)
    if share.verdict is Verdict.UNDECIDED:
        said += f": count {share.needed_s:.0f} s more" if share.needed_s else ": counting on will not decide it"
    return share, said


def _events(count: Count, hottest: Count) -> Events:
    elapsed_s = (count.middle_at - hottest.middle_at).total_seconds()
    return Events(counts=count.counts, live_time_s=count.live_time_s, taken_at_s=elapsed_s)


def _table(counted: Sequence[Counted]) -> Table:
    table = Table()
    for heading in ("Specimen", "Counts", "Net rate", "Of the hottest", "Says"):
        table.add_column(heading)
    for each in counted:
        net = "" if each.net is None else f"{each.net.rate_cps:.1f} ± {each.net.sigma_cps:.1f} cps"
        counts = f"{each.count.counts} in {each.count.live_time_s:.1f} s"
        table.add_row(escape(each.name), counts, net, each.of_hottest, escape(each.said))
    return table
