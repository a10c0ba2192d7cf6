"""Battery: what the instrument says of its supply, and of what hangs on it, while it counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from acquisition.quality.background import Background
from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import BatteryLimits, Span
from acquisition.quality.steps import Known
from devices.traffic import Condition

BATTERY = "battery"

TOO_LOW = {
    "bias": "the battery or the supply that feeds it is flat, or a cable is loose: charge or change it",
    "board": "it is colder than its electronics stand: let it warm up",
    "detector": "it is colder than it should be: check the site file's limits and the instrument's cooling",
}
TOO_HIGH = {
    "bias": "the supply is wrong, or set for another detector: do not use it",
    "board": "its electronics are too hot: let it cool, and look at its vents",
    "detector": "its cooling fails, as it does on a weak battery, or it has not cooled down yet: wait, and repeat",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """A short count with no source near, during which the instrument tells its condition.

    It passes unmeasured where the instrument tells none; ``background`` is the step whose bench it borrows.
    """

    limits: BatteryLimits
    background: Background
    name: str = BATTERY
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count, as long as a slow instrument takes to tell."""
        return (Exposure(placement=self.background.exposures[0].placement, longest_s=self.limits.count_s),)

    @property
    def limit(self) -> str:
        """What passes, in words."""
        limits, said = self.limits, ["not told to be low"]
        if limits.least_battery_v is not None:
            said.append(f"at least {limits.least_battery_v:g} V")
        for name, span, unit in self._spans():
            if span is not None:
                said.append(f"{name} {span[0]:g} to {span[1]:g} {unit}")
        return ", ".join(said)

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:  # noqa: ARG002 - needs no other step
        """Fail where the instrument asks for another battery, or a value lies out of the site file's limits."""
        told = counts[-1].condition
        if told is None or _is_empty(told):
            reason = "not measured: this instrument tells neither battery nor bias; look at its own display"
            return StepResult(name=self.name, passed=True, figures=(), limit=self.limit, reason=reason)
        figures = _figures(told)
        if told.is_battery_low:
            return failure(self.name, self.limit, "the instrument asks for another battery: change it", *figures)
        least_v = self.limits.least_battery_v
        if told.battery_v is not None and least_v is not None and told.battery_v < least_v:
            reason = f"its battery has {told.battery_v:.2f} V, less than {least_v:g} V: charge or change it"
            return failure(self.name, self.limit, reason, *figures)
        values = {figure.name: figure.value for figure in figures}
        for name, span, unit in self._spans():
            if span is None or name not in values:
                continue
            value, (least, greatest) = values[name], span
            if value < least:
                reason = f"{name} {value:.0f} {unit}, less than {least:g} {unit}: {TOO_LOW[name]}"
                return failure(self.name, self.limit, reason, *figures)
            if value > greatest:
                reason = f"{name} {value:.0f} {unit}, more than {greatest:g} {unit}: {TOO_HIGH[name]}"
                return failure(self.name, self.limit, reason, *figures)
        reason = "; ".join(
            (
                ", ".join(str(figure) for figure in figures) or "not told to be low",
                *(f"of {name} it tells nothing, so that its limit was not checked" for name in self._untold(told)),
            )
        )
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)

    def _spans(self) -> tuple[tuple[str, Span | None, str], ...]:
        limits = self.limits
        return (
            ("bias", limits.bias_v, "V"),
            ("board", limits.board_degc, "°C"),
            ("detector", limits.detector_degc, "°C"),
        )

    def _untold(self, told: Condition) -> list[str]:
        """Name what has a limit in the site file and is not told."""
        named = {figure.name for figure in _figures(told)}
        wanted = {name for name, span, _ in self._spans() if span is not None}
        if self.limits.least_battery_v is not None:
            wanted.add(BATTERY)
        return sorted(wanted - named)


def _is_empty(told: Condition) -> bool:
    return told.is_battery_low is None and not _figures(told)


def _figures(told: Condition) -> tuple[Figure, ...]:
    """Give what is told; bias by its size, since detectors of either sign are driven."""
    bias_v = None if told.high_voltage_v is None else abs(told.high_voltage_v)
    values = (
        (BATTERY, told.battery_v, "V"),
        ("bias", bias_v, "V"),
        ("board", told.board_degc, "°C"),
        ("detector", told.detector_degc, "°C"),
    )
    return tuple(Figure(name=name, value=value, unit=unit) for name, value, unit in values if value is not None)
