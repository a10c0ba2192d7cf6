"""What ``acquire calibrate`` does once it has a probe: the guided calibration, its table, file and plot."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from acquisition.calibrating.curves import curves_of_calibration
from acquisition.calibrating.fitting import Fitted, fit_calibration
from acquisition.calibrating.plan import plan_of
from acquisition.calibrating.settings import CalibrationSettings
from acquisition.calibration import CalibrationError
from acquisition.logbook.records import Kind
from acquisition.quality.guided import Guided, Outcome
from acquisition.quality.spectra import energy_scale_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOutcome(Outcome):
    """What a full calibration came to; the verdicts of the fit stand last.

    Attributes
    ----------
    response
        Its parameters as in the file; None where it did not pass.
    plot
        The file of its plot; None where it did not pass, and then the old one stays.

    """

    response: dict[str, Any] | None
    plot: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire calibrate --json``."""
        plot = str(self.plot) if self.plot else None
        return Outcome.to_dict(self) | {"plot": plot, "response": self.response}


async def run_calibration(
    guided: Guided, *, limits: CalibrationSettings, with_decay: bool = True
) -> CalibrationOutcome:
    """Run the full calibration of one probe, show it, and write file and plot if all of it passed.

    Parameters
    ----------
    guided
        As for ``run_morning``; the plot lies beside the calibration file, its name ending in ``.svg``.
    limits
        Those of the calibration alone.
    with_decay
        Whether the count-rate capability is measured at the end, which takes a night.

    Raises
    ------
    DeviceError, NavigationError, LogbookUnusable, CalibrationError
        As for ``run_morning``.

    """
    bench, settings = guided.bench, guided.settings
    bench.warn_if_simulated()
    plan = plan_of(settings, limits, energy_scale_of(bench.device), with_decay=with_decay)
    ran = await guided.run(plan.steps)
    fitted = Fitted(results=())
    if not ran.measured.aborted:
        bench.console.print("\n[dim]fitting the response, and each part of the counts by the rest[/dim]")
        fitted = fit_calibration(
            probe=bench.probe,
            morning=settings,
            settings=limits,
            plan=plan,
            measured=ran.measured,
            calibrated_at=ran.ended_at,
        )
    outcome = CalibrationOutcome(
        ran=ran,
        results=(*ran.measured.results, *fitted.results),
        response=fitted.response.to_dict() if fitted.response else None,
        written=guided.calibration if fitted.response else None,
        plot=guided.calibration.with_suffix(".svg") if fitted.response else None,
    )
    # the record first: no calibration is used that nobody can show
    curves = curves_of_calibration(settings, plan, ran.measured, fitted.response)
    told = {"curves": [curve.to_dict() for curve in curves]}
    if await guided.record(Kind.CALIBRATION, outcome, told) is None:
        outcome = replace(outcome, written=None, plot=None)
    if outcome.written is not None and outcome.plot is not None and fitted.response is not None:
        from acquisition.calibrating.plot import draw_calibration

        drawn = draw_calibration(fitted.response, fitted.counts, is_simulated=bench.is_simulated)
        guided.write(outcome, fitted.response, [asdict(count) for count in fitted.counts])
        try:
            outcome.plot.write_bytes(drawn)
        except OSError as exc:
            raise CalibrationError(f"{outcome.plot}: the plot cannot be written: {exc.strerror}") from exc
    _conclude(guided, outcome)
    return outcome


def _conclude(guided: Guided, outcome: CalibrationOutcome) -> None:
    guided.show(outcome)
    console, probe = guided.bench.console, escape(guided.bench.probe)
    if outcome.passed:
        files = f"Calibration written to {guided.calibration}, its plot to {outcome.plot}"
        console.print(f"[green]{probe} is calibrated.[/green] {escape(files)}")
        return
    console.print(f"[red]{probe} is not calibrated.[/red] {escape(guided.why_not(outcome))}")
