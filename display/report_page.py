"""A procedure's report as one HTML file that prints on A4: its style and its pictures are in it."""

import base64
from collections.abc import Callable, Iterable
from datetime import datetime
from html import escape
from math import exp, sqrt
from typing import Any

from acquisition.session.journal import Entry
from acquisition.session.report import Counted, Found, Report

STYLE = """
@page { size: A4; margin: 16mm }
body { font: 11pt/1.35 system-ui, "DejaVu Sans", sans-serif; color: #111; max-width: 190mm; margin: 8mm auto }
h1 { font-size: 17pt; margin: 0 0 2mm } h2 { font-size: 13pt; margin: 7mm 0 2mm; break-after: avoid }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; color: #444 }
th, td { padding: 1mm 2mm 1mm 0; border-bottom: .3mm solid #ccc; vertical-align: top } tr { break-inside: avoid }
.simulated { background: #581c87; color: #fff; padding: 2mm 4mm; font-weight: 700; letter-spacing: .1em }
.open { background: #ffb454; padding: 2mm 4mm; font-weight: 700 } .override { background: #fff3d6 }
figure { display: inline-block; width: 92mm; margin: 0 2mm 3mm 0; break-inside: avoid } img { width: 100% }
figcaption { color: #444; font-size: 9pt } s { color: #777 }
footer { margin-top: 8mm; color: #444; font-size: 9pt }
"""

NONE = "\u2013"

FOOTER = (
    "<footer>Counts are as the instrument counted them. Limits are one-sided; positions are mm in the study's "
    "patient axes (LPS). radionav is not a certified medical device.</footer>"
)

DECISIONS = {
    "removed": "removed: less than a tenth is left",
    "still there": "still there",
    "count on": "not decided",
}
RULES = {"above": "over 10 %", "below": "under 10 %", "undecided": "not decided"}


def write_page(report: Report, *, place: str, picture: Callable[[int], bytes | None]) -> str:
    """Write the report of a procedure; ``picture`` finds the PNG that belongs to an entry."""
    procedure = report.procedure
    parts = [f"<h1>Procedure {procedure.number}</h1>"]
    if report.is_simulated:
        parts.insert(0, '<p class="simulated">SIMULATED: no patient, no measurement</p>')
    if report.ended_at is None:
        parts.append(f'<p class="open">Not ended: it stands at {escape(procedure.step)}</p>')
    parts += [
        _head(report, place),
        _section("Found and taken out", _found_table(report)),
        _section("Specimens", _specimen_table(report)),
        _section("Taken with a reason though something was missing", _override_table(report)),
        _section("Steps", _step_table(report)),
        _section("Plan and time-out, as confirmed", _confirmed_table(report)),
        _section("Marks", _mark_table(report)),
        _section("Pictures", _figures(report, picture)),
        _section("Faults of devices, and starts of the service", _alert_table(report)),
        FOOTER,
    ]
    title = f"{_person_name(procedure.patient_name)}, {procedure.patient_id}"
    body = "\n".join(part for part in parts if part)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _head(report: Report, place: str) -> str:
    procedure = report.procedure
    rows = [
        ("Patient", f"{_person_name(procedure.patient_name)}, ID {procedure.patient_id}"),
        ("Confirmed by", f"{report.begun.person}, {_when(report.begun.at)}"),
        ("Study", procedure.study_uid),
        ("Room", place),
        ("Ended", _when(report.ended_at) if report.ended_at else "not ended"),
    ]
    return _table((), ((escape(name), escape(value)) for name, value in rows))


def _found_table(report: Report) -> str:
    rows = [_found_row(each) for each in report.found]
    rows += [
        (f"<s>{entry.told['number']}</s>", "mark taken back", "", "", "", _who(entry))
        for entry in report.taken_back
    ]
    heads = ("No.", "Target", "Where, mm (LPS)", "Activity", "Bed", "Marked")
    return _table(heads, rows) if rows else ""


def _found_row(found: Found) -> tuple[str, ...]:
    told = found.marked.told
    belief = told["belief"]
    spread_mm = [sqrt(belief["covariance_mm2"][axis][axis]) for axis in range(3)]
    where = ", ".join(
        f"{mm:.0f} ± {1.96 * sigma_mm:.0f}" for mm, sigma_mm in zip(belief["centre_mm"], spread_mm, strict=True)
    )
    low, high = (exp(belief["log_activity_mean"] + sign * 1.96 * belief["log_activity_sigma"]) for sign in (-1, 1))
    activity = f"{exp(belief['log_activity_mean']):.2g} MBq ({low:.2g} to {high:.2g})"
    number, name = str(told["number"]), escape(told["target"])
    return number, name, where, activity, _bed(found.look), _who(found.marked)


def _bed(look: Entry | None) -> str:
    if look is None:
        return "<b>not counted</b>"
    told = look.told
    said = f"<b>{DECISIONS[told['decision']]}</b>"
    if bed := told.get("bed"):
        said += f"; left {_interval(bed['share'])} of it"
    elif told["reason"]:
        said += f": {escape(told['reason'])}"
    return f"{said}; {told['counts']:.0f} counts in {told['live_time_s']:.1f} s, {_when(look.at)}"


def _specimen_table(report: Report) -> str:
    rows = [_specimen_row(each) for each in report.specimens]
    if report.background is not None:
        told = report.background.told
        rows.append(("", "background", *_counts(told), NONE, _who(report.background)))
    heads = ("No.", "Of", "Counts", "Rate", "Of the hottest", "Counted")
    return _table(heads, rows) if rows else ""


def _specimen_row(specimen: Counted) -> tuple[str, ...]:
    told = specimen.counted.told
    former = [told["of"], *(label.told["of"] for label in specimen.labels)][:-1]
    of = " ".join(f"<s>{escape(each or 'none')}</s>" for each in former)
    of = f"{of} {escape(specimen.of or 'none')}".strip()
    if specimen.labels:
        of += f"<br>corrected by {_who(specimen.labels[-1])}"
    number = str(told["number"])
    if specimen.discarded is not None:
        number, of = f"<s>{number}</s>", f"{of}<br>discarded by {_who(specimen.discarded)}"
    return number, of, *_counts(told), _share(specimen.compared), _who(specimen.counted)


def _counts(told: Any) -> tuple[str, str]:
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


def _interval(limits: Any) -> str:
    upper = "any" if limits["upper"] is None else f"{100 * limits['upper']:.1f}"
    best = "" if limits["best"] is None else f"{100 * limits['best']:.1f} % "
    return f"{best}({100 * limits['lower']:.1f} to {upper} %, limits of {100 * limits['confidence']:.1f} % each)"


def _override_table(report: Report) -> str:
    rows = [
        (
            escape(each.step),
            escape("; ".join(each.unmet)),
            f"<b>{escape(each.reason)}</b>",
            f"{escape(each.person)}, {_when(each.at)}",
        )
        for each in report.procedure.overrides
    ]
    return _table(("Step", "Missing", "Reason", "By"), rows, css="override") if rows else "<p>None.</p>"


def _step_table(report: Report) -> str:
    rows = [
        (escape(entry.told["to"]), "after " + escape(entry.told["from"]), _who(entry)) for entry in report.moves
    ]
    return _table(("Step", "", "Taken by"), rows) if rows else ""


def _confirmed_table(report: Report) -> str:
    rows = [(escape(name), escape(entry.told["as"]), _who(entry)) for name, entry in report.sorts.items()]
    rows += [(escape(name), escape(entry.told["said"]), _who(entry)) for name, entry in report.checks.items()]
    return _table(("What", "Confirmed as", "By"), rows) if rows else ""


def _mark_table(report: Report) -> str:
    rows = []
    for entry in report.marks:
        rate_cps, tip_mm = entry.told["rate_cps"], entry.told["tip_mm"]
        rate = NONE if rate_cps is None else f"{rate_cps:.0f} /s"
        where = NONE if tip_mm is None else ", ".join(f"{mm:.0f}" for mm in tip_mm)
        rows.append((escape(entry.told["step"]), rate, where, _who(entry)))
    return _table(("Step", "Rate", "Tip, mm (LPS)", "Marked"), rows) if rows else ""


def _figures(report: Report, picture: Callable[[int], bytes | None]) -> str:
    figures = []
    for entry in sorted((*report.marks, *report.moves), key=lambda each: each.seq):
        png = picture(entry.seq)
        if png is not None:
            words = f"{entry.told.get('to', 'mark')}, {_when(entry.at)}"
            source = base64.b64encode(png).decode()
            figures.append(
                f'<figure><img alt="{escape(words)}" src="data:image/png;base64,{source}">'
                f"<figcaption>{escape(words)}</figcaption></figure>"
            )
    return "".join(figures)


def _alert_table(report: Report) -> str:
    rows = []
    for entry in sorted((*report.alerts, *report.starts), key=lambda each: each.seq):
        if entry.kind == "started":
            rows.append((_when(entry.at), "radionav", "started"))
        else:
            said = ": ".join(filter(None, (entry.told["state"], entry.told["detail"])))
            rows.append((_when(entry.at), escape(entry.told["device"]), escape(said)))
    return _table(("When", "Device", "What"), rows) if rows else ""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], *, css: str = "") -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{css}">{f"<tr>{head}</tr>" if head else ""}{body}</table>'


def _who(entry: Entry) -> str:
    return escape(f"{entry.person or 'the service'}, {_when(entry.at)}")


def _when(at: datetime | None) -> str:
    return NONE if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _person_name(name: str) -> str:
    """Write a DICOM person name (PS3.5 6.2.1.1) as on a wristband."""
    family, *given = name.split("=", maxsplit=1)[0].split("^")
    return ", ".join(filter(None, (family, " ".join(filter(None, given))))) or "no name"
