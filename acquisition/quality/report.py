"""What the report of a record says: verdicts, figures, curves and trends, and who signs it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from acquisition.durable import write_file
from acquisition.logbook.records import Kept, Kind
from acquisition.paper.page import write_page
from acquisition.paper.pdf import write_pdf
from acquisition.paper.sheet import Cell, Figure, Section, Sheet, Table, Words, table
from acquisition.quality.curves import curves_in
from acquisition.quality.results import Figure as Number
from acquisition.quality.results import StepResult
from acquisition.quality.trend import Trend, results_in
from navigation.statistics.control import LIMIT, WEIGHT

TITLES: Final = {
    Kind.MORNING: "Morning check of a gamma probe",
    Kind.CALIBRATION: "Calibration of a gamma probe",
    Kind.COUNT: "Timed count",
    Kind.BACKGROUND: "Background count",
    Kind.EX_VIVO: "Specimens counted ex vivo",
}

FOOTER: Final = (
    "Counts are as the instrument counted them; errors are standard errors by Poisson's law. radionav is not a "
    "certified medical device."
)

LEAST_POINTS: Final = 2
"""On its charts, for a trend to be drawn."""

RULING: Final = "\u2026" * 12


def lay_out_record(kept: Kept, *, trends: Sequence[Trend], faults: Sequence[str], place: str) -> Sheet:
    """Say what a record says.

    Parameters
    ----------
    kept
        The record.
    trends
        Of its figures, up to it.
    faults
        What is wrong with the logbook that it stands in.
    place
        The hospital and room.

    """
    record = kept.record
    steps = results_in(record.told)
    sections = (
        Section(title="Results", table=_step_table(steps)),
        Section(title="Figures", table=_figure_table(record.told.get("figures", ()))),
        Section(title="Specimens", table=_specimen_table(record.told.get("specimens", ()))),
        Section(title="Broken off", table=_unfinished_table(record.told)),
        Section(title="Remarks", table=_remark_table(record.told)),
        Section(title="Sources", table=_source_table(record.told.get("sources", {}))),
        Section(title="Curves", figures=_curve_figures(record.told)),
        Section(title="Trends", words=_trend_words(trends), figures=_trend_figures(trends)),
        Section(title="Seal", words=_seal_words(kept, faults)),
        Section(title="Signatures", table=_signatures(kept)),
    )
    return Sheet(
        name=f"{record.probe}-{record.kind.value}-{record.at.astimezone():%Y-%m-%d}-{kept.number:04d}",
        title=f"{record.probe}, {TITLES[record.kind]}, record {kept.number}",
        heading=TITLES[record.kind],
        simulated="SIMULATED: no probe, no measurement" if record.is_simulated else "",
        unfinished=f"Not whole: {kept.doubt}" if kept.doubt else _ended_early(record.told),
        head=_head(kept, place),
        sections=tuple(
            each for each in sections if each.words or each.figures or (each.table and each.table.rows)
        ),
        footer=FOOTER,
    )


def write_reports(sheet: Sheet, folder: Path) -> tuple[Path, Path]:
    """Write a report as HTML and as PDF into a folder; a report of the same name is written anew.

    Raises
    ------
    OSError
        Where they cannot be written.

    """
    folder.mkdir(parents=True, exist_ok=True)
    page, pdf = folder / f"{sheet.name}.html", folder / f"{sheet.name}.pdf"
    write_file(page, write_page(sheet).encode())
    write_file(pdf, write_pdf(sheet, at=datetime.now(tz=UTC)))
    return page, pdf


def _head(kept: Kept, place: str) -> Table:
    record = kept.record
    verdict = {True: "passed", False: "DID NOT PASS: not to be used", None: "nothing was judged"}[record.passed]
    rows: list[tuple[str | Cell, ...]] = [
        ("Place", place),
        ("Probe", record.probe),
        ("Instrument", record.identity or "does not say what it is"),
        ("Ended", _when(record.at)),
        ("By", record.person),
        ("Verdict", (Words(verdict, "bold"),)),
    ]
    if window := record.told.get("window"):
        rows.insert(3, ("Window", str(window)))
    if calibration := record.told.get("calibration"):
        rows.append(("Calibration written to", str(calibration)))
    return table((), rows)


def _ended_early(told: Mapping[str, Any]) -> str:
    return f"Ended early: {told['aborted']}" if told.get("aborted") else ""


def _step_table(steps: Sequence[StepResult]) -> Table:
    rows: list[tuple[str | Cell, ...]] = []
    for step in steps:
        verdict = Words("pass" if step.passed else "FAIL", "plain" if step.passed else "bold")
        runs = (Words(f"\n{step.attempts} runs"),) if step.attempts > 1 else ()
        said = "\n".join((step.reason, *step.remarks))
        rows.append(
            (step.name, "\n".join(str(figure) for figure in step.figures), step.limit, (verdict, *runs), said)
        )
    return table(("Step", "Measured", "Passes", "Verdict", "Because"), rows)


def _figure_table(figures: Iterable[Any]) -> Table:
    rows = []
    for each in figures:
        try:
            number = Number(**each)
        except TypeError:  # another version wrote it, or somebody else
            continue
        error = "" if number.sigma is None else f" ± {number.sigma:.2g}"
        rows.append((number.name, f"{number.value:.5g}{error} {number.unit}".strip()))
    return table(("Figure", "Value"), rows)


def _specimen_table(specimens: Iterable[Mapping[str, Any]]) -> Table:
    rows = [
        (
            each["name"],
            f"{each['counts']} in {each['live_time_s']:.1f} s",
            "" if each["net_cps"] is None else f"{each['net_cps']:.1f} ± {each['net_sigma_cps']:.1f} cps",
            each["of_hottest"],
            each["said"],
        )
        for each in specimens
    ]
    return table(("Specimen", "Counts", "Net rate", "Of the hottest", "Ten-percent rule"), rows)


def _unfinished_table(told: Mapping[str, Any]) -> Table:
    unfinished = told.get("unfinished")
    if not unfinished:
        return table((), [])
    rows = [(unfinished["instruction"], _plainly(unfinished["began_at"]), unfinished["said"])]
    return table(("What was being counted", "Begun", "Counted"), rows)


def _remark_table(told: Mapping[str, Any]) -> Table:
    left_out = (f"left out: {each}" for each in told.get("left_out", ()))
    return table((), [(each,) for each in (*told.get("remarks", ()), *left_out)])


def _source_table(sources: Mapping[str, Any]) -> Table:
    rows = []
    for name, source in sources.items():
        said = (
            f"{key.replace('_', ' ')} {_plainly(value)}" for key, value in source.items() if value or value == 0
        )
        rows.append((name, ", ".join(said)))
    return table((), rows)


def _plainly(value: Any) -> str:
    """Write a number without digits that nobody measured, and a time as it is read."""
    if isinstance(value, float):
        return f"{value:.5g}"
    try:
        return _when(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return str(value)


def _trend_words(trends: Sequence[Trend]) -> str:
    if not any(len(trend.points) >= LEAST_POINTS for trend in trends):
        return ""
    return (
        "Upper panels: values with their standard errors, the mean of the base (shaded), warning lines at two and "
        "action lines at three standard deviations (Shewhart); a ring marks what is out of its lines. Lower "
        f"panels: exponentially weighted moving average, lambda {WEIGHT:g}, and its lines at {LIMIT:g} standard "
        "deviations of its own."
    )


def _curve_figures(told: Mapping[str, Any]) -> tuple[Figure, ...]:
    from acquisition.quality.plot import draw_curve

    return tuple(Figure(caption=curve.title, image=draw_curve(curve), kind="svg") for curve in curves_in(told))


def _trend_figures(trends: Sequence[Trend]) -> tuple[Figure, ...]:
    from acquisition.quality.plot import draw_trend

    return tuple(
        Figure(
            caption=f"{trend.followed.name}: {trend.signal.value}",
            image=draw_trend(trend),
            kind="svg",
        )
        for trend in trends
        if len(trend.points) >= LEAST_POINTS
    )


def _seal_words(kept: Kept, faults: Sequence[str]) -> str:
    state = f"IT DOES NOT FIT: {kept.doubt}." if kept.doubt else "It fits what is written here."
    logbook = " ".join(f"The logbook was changed: {fault}." for fault in faults)
    return (
        f"Record {kept.number}, sealed by key {kept.key_id}, HMAC-SHA256 {kept.seal}. {state} {logbook}"
    ).strip()


def _signatures(kept: Kept) -> Table:
    return table(
        ("", "Name", "Date", "Signature"),
        [
            ("Done by", kept.record.person, _when(kept.record.at), RULING),
            ("Seen by, medical physicist", RULING, RULING, RULING),
        ],
    )


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"
