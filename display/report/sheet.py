"""What a procedure's report says."""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import exp, sqrt
from typing import Any

from acquisition.paper.sheet import Cell, Figure, Section, Sheet, Table, Words, table
from acquisition.session.drawn import drawn_of
from acquisition.session.journal import Entry
from acquisition.session.procedure import Override
from acquisition.session.report import Counted, Found, Report
from display.report.plot import Share, draw_shares

NONE = "\u2013"

FOOTER = (
    "Counts are as the instrument counted them. Limits are one-sided; positions are mm in the study's "
    "patient axes (LPS). radionav is not a certified medical device."
)

DECISIONS = {
    "removed": "removed: less than a tenth is left",
    "still there": "still there",
    "count on": "not decided",
}
RULES = {"above": "over 10 %", "below": "under 10 %", "undecided": "not decided"}


def lay_out(report: Report, *, place: str, picture: Callable[[int], bytes | None]) -> Sheet:
    """Say what a report says; ``picture`` finds the PNG that belongs to an entry."""
    procedure = report.procedure
    overrides = _override_table(report)
    sections = (
        Section(title="Found and taken out", table=_found_table(report)),
        Section(title="Specimens", table=_specimen_table(report), figures=_plots(report)),
        Section(
            title="Taken with a reason though something was missing",
            words="" if overrides.rows else "None.",
            table=overrides,
        ),
        Section(title="Steps", table=_step_table(report)),
        Section(title="Plan and time-out, as confirmed", table=_confirmed_table(report)),
        Section(title="Drawn in the plan", table=_drawn_table(report)),
        Section(title="Marks", table=_mark_table(report)),
        Section(title="Pictures", figures=_pictures(report, picture)),
        Section(title="Faults of devices, and starts of the service", table=_alert_table(report)),
    )
    return Sheet(
        name=f"procedure-{procedure.number}",
        title=f"{_person_name(procedure.patient_name)}, {procedure.patient_id}",
        heading=f"Procedure {procedure.number}",
        simulated="SIMULATED: no patient, no measurement" if report.is_simulated else "",
        unfinished="" if report.ended_at else f"Not ended: it stands at {procedure.step}",
        head=_head(report, place),
        sections=tuple(
            each for each in sections if each.words or each.figures or (each.table and each.table.rows)
        ),
        footer=FOOTER,
    )


def _head(report: Report, place: str) -> Table:
    procedure = report.procedure
    return table(
        (),
        [
            ("Patient", f"{_person_name(procedure.patient_name)}, ID {procedure.patient_id}"),
            ("Confirmed by", f"{report.begun.person}, {_when(report.begun.at)}"),
            ("Study", procedure.study_uid or "none came into use"),
            ("Room", place),
            ("Ended", _when(report.ended_at) if report.ended_at else "not ended"),
        ],
    )


def _found_table(report: Report) -> Table:
    rows: list[tuple[str | Cell, ...]] = [_found_row(each) for each in report.found]
    rows += [
        ((Words(str(entry.told["number"]), "struck"),), "mark taken back", "", "", "", _who(entry))
        for entry in report.taken_back
    ]
    return table(("No.", "Target", "Where, mm (LPS)", "Activity", "Bed", "Marked"), rows)


def _found_row(found: Found) -> tuple[str | Cell, ...]:
    told = found.marked.told
    belief = told["belief"]
    spread_mm = [sqrt(belief["covariance_mm2"][axis][axis]) for axis in range(3)]
    where = ", ".join(
        f"{mm:.0f} ± {1.96 * sigma_mm:.0f}" for mm, sigma_mm in zip(belief["centre_mm"], spread_mm, strict=True)
    )
    low, high = (exp(belief["log_activity_mean"] + sign * 1.96 * belief["log_activity_sigma"]) for sign in (-1, 1))
    activity = f"{exp(belief['log_activity_mean']):.2g} MBq ({low:.2g} to {high:.2g})"
    return str(told["number"]), told["target"], where, activity, _bed(found.look), _who(found.marked)


def _bed(look: Entry | None) -> Cell:
    if look is None:
        return (Words("not counted", "bold"),)
    told, said = look.told, ""
    if bed := told.get("bed"):
        said = f"; left {_interval(bed['share'])} of it"
    elif told["reason"]:
        said = f": {told['reason']}"
    counted = f"{said}; {told['counts']:.0f} counts in {told['live_time_s']:.1f} s, {_when(look.at)}"
    return Words(DECISIONS[told["decision"]], "bold"), Words(counted)


def _specimen_table(report: Report) -> Table:
    rows: list[tuple[str | Cell, ...]] = [_specimen_row(each) for each in report.specimens]
    if report.background is not None:
        rows.append(("", "background", *_counts(report.background.told), NONE, _who(report.background)))
    return table(("No.", "Of", "Counts", "Rate", "Of the hottest", "Counted"), rows)


def _specimen_row(specimen: Counted) -> tuple[str | Cell, ...]:
    told = specimen.counted.told
    former = [told["of"], *(label.told["of"] for label in specimen.labels)][:-1]
    of: list[Words] = []
    for each in former:
        of += [Words(each or "none", "struck"), Words(" ")]
    of.append(Words(specimen.of or "none"))
    if specimen.labels:
        of.append(Words(f"\ncorrected by {_who(specimen.labels[-1])}"))
    number = Words(str(told["number"]))
    if specimen.discarded is not None:
        number = Words(number.text, "struck")
        of.append(Words(f"\ndiscarded by {_who(specimen.discarded)}"))
    return (number,), tuple(of), *_counts(told), _share(specimen.compared), _who(specimen.counted)


def _counts(told: Mapping[str, Any]) -> tuple[str, str]:
    counts, live_time_s = told["counts"], told["live_time_s"]
    rate_cps, error_cps = counts / live_time_s, sqrt(max(counts, 1)) / live_time_s
    return f"{counts:.0f} in {live_time_s:.1f} s", f"{rate_cps:.1f} ± {error_cps:.1f} /s"


def _share(compared: Entry | None) -> str:
    if compared is None:
        return NONE
    told = compared.told
    if told["is_hottest"]:
        return "the hottest"
    return f"{_interval(told)}: {RULES[told['verdict']]}" if "verdict" in told else "cannot be compared"


def _interval(limits: Mapping[str, Any]) -> str:
    upper = "any" if limits["upper"] is None else f"{100 * limits['upper']:.1f}"
    best = "" if limits["best"] is None else f"{100 * limits['best']:.1f} % "
    return f"{best}({100 * limits['lower']:.1f} to {upper} %, limits of {100 * limits['confidence']:.1f} % each)"


def _plots(report: Report) -> tuple[Figure, ...]:
    shares = []
    for each in report.specimens:
        told = each.compared.told if each.compared and not each.discarded else {}
        if told.get("is_hottest") or "verdict" in told:
            name = f"{each.counted.told['number']}, {each.of or 'none'}"
            limits = (1.0, 1.0, 1.0) if told["is_hottest"] else (told["best"], told["lower"], told["upper"])
            shares.append(Share(name=name, best=limits[0], lower=limits[1], upper=limits[2]))
    if len(shares) < 2:
        return ()
    caption = "Each specimen's share of the hottest, with its limits; the line is a tenth of the hottest"
    return (Figure(caption=caption, image=draw_shares(shares), kind="svg"),)


def _override_table(report: Report) -> Table:
    rows: list[tuple[str | Cell, ...]] = [
        (each.step, _missing(each), (Words(each.reason, "bold"),), f"{each.person}, {_when(each.at)}")
        for each in report.procedure.overrides
    ]
    return table(("Step", "Missing", "Reason", "By"), rows, is_warning=True)


def _missing(override: Override) -> Cell:
    unchecked = (Words(f"\n{name}: {said}") for name, said in override.unchecked.items())
    return Words("; ".join(override.unmet)), *unchecked


def _step_table(report: Report) -> Table:
    rows = [(entry.told["to"], f"after {entry.told['from']}", _who(entry)) for entry in report.moves]
    return table(("Step", "", "Taken by"), rows)


def _confirmed_table(report: Report) -> Table:
    rows = [(name, entry.told["as"], _who(entry)) for name, entry in report.sorts.items()]
    rows += [(name, entry.told["said"], _who(entry)) for name, entry in report.checks.items()]
    return table(("What", "Confirmed as", "By"), rows)


def _drawn_table(report: Report) -> Table:
    rows: list[tuple[str | Cell, ...]] = []
    for entry in sorted((*report.drawn, *report.erased), key=lambda each: each.seq):
        told = entry.told
        if entry.kind == "erased":
            rows.append(((Words(told["name"], "struck"),), "erased", "", "", "", _who(entry)))
            continue
        where = ", ".join(f"{mm:.0f}" for mm in told["centre_mm"])
        drawn = drawn_of(told, entry.at)
        across, expected = f"{2 * drawn.radius_mm:.0f}", "as in the image"
        if drawn.activity_mbq is not None:
            expected = f"{drawn.activity_mbq:.3g} MBq, {_when(drawn.activity_at)}"
        rows.append((told["name"], told["as"], where, across, expected, _who(entry)))
    return table(("Name", "As", "Where, mm (LPS)", "Across, mm", "Activity expected", "By"), rows)


def _mark_table(report: Report) -> Table:
    rows = []
    for entry in report.marks:
        rate_cps, tip_mm = entry.told["rate_cps"], entry.told["tip_mm"]
        rate = NONE if rate_cps is None else f"{rate_cps:.0f} /s"
        where = NONE if tip_mm is None else ", ".join(f"{mm:.0f}" for mm in tip_mm)
        rows.append((entry.told["step"], rate, where, _who(entry)))
    return table(("Step", "Rate", "Tip, mm (LPS)", "Marked"), rows)


def _pictures(report: Report, picture: Callable[[int], bytes | None]) -> tuple[Figure, ...]:
    figures = []
    for entry in sorted((*report.marks, *report.moves), key=lambda each: each.seq):
        png = picture(entry.seq)
        if png is not None:
            caption = f"{entry.told.get('to', 'mark')}, {_when(entry.at)}"
            figures.append(Figure(caption=caption, image=png, kind="png"))
    return tuple(figures)


def _alert_table(report: Report) -> Table:
    rows = []
    for entry in sorted((*report.alerts, *report.starts, *report.cut_off), key=lambda each: each.seq):
        if entry.kind == "started":
            rows.append((_when(entry.at), "radionav", "started"))
        elif entry.kind == "cut off":
            counted = " of ".join(filter(None, (entry.told["what"], entry.told["of"])))
            rows.append(
                (_when(entry.at), "radionav", f"the count of the {counted} was cut off: it came to nothing")
            )
        else:
            said = ": ".join(filter(None, (entry.told["state"], entry.told["detail"])))
            rows.append((_when(entry.at), entry.told["device"], said))
    return table(("When", "Device", "What"), rows)


def _who(entry: Entry) -> str:
    return f"{entry.person or 'the service'}, {_when(entry.at)}"


def _when(at: datetime | None) -> str:
    return NONE if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _person_name(name: str) -> str:
    """Write a DICOM person name (PS3.5 6.2.1.1) as on a wristband."""
    family, *given = name.split("=", maxsplit=1)[0].split("^")
    return ", ".join(filter(None, (family, " ".join(filter(None, given))))) or "no name"
