"""A record written as PDF and HTML, read back by another library, and asked for from the command line."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from pypdf import PdfReader
from sqlalchemy import Engine, create_engine, event, text
from typer.testing import CliRunner

from acquisition.commands.logbook import add_logbook
from acquisition.logbook.logbook import open_logbook
from acquisition.logbook.records import Kind, Record
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.curves import Curve, curves_in
from acquisition.quality.desk import Desk
from acquisition.quality.results import Figure, StepResult
from tests.acquisition.quality.test_trend import settings

BEGUN = datetime(2026, 9, 1, 7, tzinfo=UTC)
CURVES = (
    Curve(
        title="Rate on the axis against distance, in air",
        x="distance from the tip, mm",
        y="cps/MBq",
        is_log=True,
        points=((10.0, 5000.0, 50.0), (30.0, 2000.0, 20.0), (50.0, -3.0, 5.0)),
        line=((10.0, 5010.0), (50.0, 1000.0)),
    ),
    Curve(title="Left over", x="count, in order", y="errors", points=((1.0, -0.5, 1.0),), level=0.0),
)


def desk(folder: Path) -> Desk:
    """The logbook of a hospital."""
    return Desk(logbook=LogbookSettings().beside(folder), settings=settings(), place="St. Olav, OR 4")


def told(rate_cps: float, **more: Any) -> dict[str, Any]:
    """What a morning tells."""
    steps = (
        StepResult(
            name="background",
            passed=True,
            figures=(Figure(name="rate", value=rate_cps, unit="cps", sigma=0.3),),
            limit="at most 10 cps",
            reason="as an empty bench gives",
            attempts=2,
            remarks=("repeat: дверь открыта",),
        ),
        StepResult(
            name="dead time", passed=False, figures=(), limit="at most 20 µs", reason="leave out: #panic(1)"
        ),
    )
    return {
        "steps": [step.to_dict() for step in steps],
        "curves": [curve.to_dict() for curve in CURVES],
        "sources": {"check": {"nuclide": "Co-57", "label": "", "reference_cps": 527.17347, "distance_mm": 10.0}},
        **more,
    }


def record(day: int, told: dict[str, Any], **changed: Any) -> Record:
    """A morning's record."""
    fields: dict[str, Any] = {
        "kind": Kind.MORNING,
        "at": BEGUN + timedelta(days=day),
        "probe": "gamma",
        "identity": "Amptek DP5 12345",
        "person": "Ø. Berg",
        "is_simulated": True,
        "passed": False,
        "told": told,
    }
    return Record(**fields | changed)


def written(at: Desk, days: int = 20) -> None:
    """Write so many mornings; the last one's background is out of its lines."""
    rng = np.random.default_rng(3)
    with open_logbook(at.logbook) as logbook:
        for day in range(days - 1):
            logbook.add(record(day, told(5.0 + rng.normal(0, 0.3))))
        logbook.add(record(days - 1, told(9.5, aborted="")))


def run(at: Desk, *arguments: str) -> tuple[int, str, str]:
    """Run an acquire command: its exit status, standard output and standard error."""
    app = typer.Typer()
    add_logbook(app, lambda _context, _config, _simulate: at)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def words_of(pdf: bytes) -> str:
    """All words of a PDF; where a line was broken is the layout's affair."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf), strict=True).pages).split())


def test_a_report_tells_all_that_a_physicist_signs(tmp_path: Path) -> None:
    """Verdicts, figures, remarks, sources, curves, trends, seal and signatures; in the PDF and in the page."""
    at = desk(tmp_path)
    written(at)
    status, printed, _ = run(at, "report", "--json")
    assert status == 0
    files = json.loads(printed)
    page, pdf = Path(files["html"]).read_text(), Path(files["pdf"]).read_bytes()
    assert Path(files["pdf"]).name == "gamma-morning-2026-09-20-0020.pdf"
    seal = open_seal(at, 20)
    said = words_of(pdf)
    for expected in (
        "SIMULATED: no probe, no measurement",
        "Morning check of a gamma probe",
        "St. Olav, OR 4",
        "Amptek DP5 12345",
        "DID NOT PASS: not to be used",
        "rate 9.5 ± 0.3 cps",
        "at most 10 cps",
        "repeat: дверь открыта",
        "leave out: #panic(1)",
        "nuclide Co-57, reference cps 527.17, distance mm 10",
        "Rate on the axis against distance, in air",
        "background: beyond an action line",
        "It fits what is written here",
        "Ø. Berg",
        "Seen by, medical physicist",
        "is not a certified medical device",
    ):
        assert expected in page.replace("&lt;", "<"), expected
        assert expected.replace(" ", "") in said.replace(" ", ""), expected
    assert seal in page
    assert seal in said.replace(" ", "")
    for axis in ("distance from the tip, mm", "moving average", "background, cps"):
        assert axis.replace(" ", "") in said.replace(" ", "")
    assert page.count("data:image/svg+xml") == 3


def open_seal(at: Desk, number: int) -> str:
    """The seal of a record."""
    with open_logbook(at.logbook) as logbook:
        found = logbook.find(number)
    assert found is not None
    return found.kept.seal


def test_the_chain_is_read_once_for_a_report(tmp_path: Path) -> None:
    """What all records tell, and their seals, take time in a logbook of years."""
    at, asked = desk(tmp_path), list[str]()
    written(at, 3)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert run(at, "report", "2")[0] == 0
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len([each for each in asked if "quality_records.told" in each]) == 1


def test_the_pdf_can_be_kept_for_decades(tmp_path: Path) -> None:
    """PDF/A by its own word, the plots' words in it in a font that is in it too."""
    at = desk(tmp_path)
    written(at)
    run(at, "report", "--to", str(tmp_path / "elsewhere"))
    (pdf,) = (tmp_path / "elsewhere").glob("*.pdf")
    reader = PdfReader(pdf, strict=True)
    metadata = reader.xmp_metadata
    assert metadata is not None
    assert b"pdfaid:part" in metadata.stream.get_data()
    assert reader.metadata is not None
    assert reader.metadata.title == "gamma, Morning check of a gamma probe, record 20"


def test_a_record_that_was_changed_is_reported_as_such(tmp_path: Path) -> None:
    """On the first page, at its seal, and by the exit status."""
    at = desk(tmp_path)
    written(at, 3)
    change(at, "UPDATE quality_records SET person = 'X' WHERE number = 2")
    status, printed, error = run(at, "report", "2", "--json")
    assert status == 1
    assert "was changed after it was sealed" in error
    page = Path(json.loads(printed)["html"]).read_text()
    assert "Not whole: it was changed after it was sealed" in page
    assert "IT DOES NOT FIT" in page
    status, printed, _ = run(at, "report", "3", "--json")
    assert status == 0
    assert "The logbook was changed: record 2 of 2026-09-02" in Path(json.loads(printed)["html"]).read_text()


def change(at: Desk, statement: str) -> None:
    """Change the database past the logbook."""
    engine = create_engine(f"sqlite:///{at.logbook.database}")
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER quality_records_update"))
        connection.execute(text(statement))
    engine.dispose()


def test_there_is_a_report_of_what_there_is(tmp_path: Path) -> None:
    """No record, an unknown number, a record of another kind with figures and specimens."""
    at = desk(tmp_path)
    assert run(at, "report") == (2, "", "the logbook has no such record\n")
    specimen = {
        "name": "node 1",
        "counts": 1200,
        "live_time_s": 10.0,
        "net_cps": 115.0,
        "net_sigma_cps": 3.5,
        "of_hottest": "12.0 % (10.9 to 13.2)",
        "said": "over 10 %: remove it",
    }
    figures = [{"name": "background", "value": 5.0, "unit": "cps", "sigma": 0.7}, {"odd": 1}]
    with open_logbook(at.logbook) as logbook:
        logbook.add(record(0, {"specimens": [specimen], "figures": figures}, kind=Kind.EX_VIVO, passed=None))
    assert run(at, "report", "7") == (2, "", "the logbook has no such record: 7\n")
    status, printed, _ = run(at, "report", "--kind", "exvivo", "--json")
    assert status == 0
    said = words_of(Path(json.loads(printed)["pdf"]).read_bytes())
    for expected in ("Specimens counted ex vivo", "1200 in 10.0 s", "over 10 %: remove it", "5 ± 0.7 cps"):
        assert expected in said


def test_history_lists_filters_and_follows(tmp_path: Path) -> None:
    """Every record with its verdict, the trend of each figure, and what was asked for alone."""
    at = desk(tmp_path)
    written(at)
    with open_logbook(at.logbook) as logbook:
        logbook.add(record(30, {}, kind=Kind.COUNT, passed=None, person="N. Sato"))
    status, printed, _ = run(at, "history", "--json")
    assert status == 0
    found = json.loads(printed)
    assert [each["number"] for each in found["records"]] == list(range(1, 22))
    assert found["records"][0]["told"]["steps"][0]["name"] == "background"
    (background,) = found["trends"]["gamma"]
    assert (background["name"], background["signal"]) == ("background", "beyond an action line")
    assert len(background["values"]) == 20
    _, printed, _ = run(at, "history", "--json", "--by", "N. Sato")
    assert [each["kind"] for each in json.loads(printed)["records"]] == ["count"]
    _, printed, _ = run(
        at, "history", "--json", "--since", "2026-09-19", "--until", "2026-09-20", "--kind", "morning"
    )
    assert [each["number"] for each in json.loads(printed)["records"]] == [19]
    _, shown, _ = run(at, "history")
    for words in ("morning", "dead time", "Trends", "beyond"):
        assert words in shown


def test_history_says_what_is_wrong_with_the_logbook(tmp_path: Path) -> None:
    """A changed record is shown as such, and the exit status is not 0."""
    at = desk(tmp_path)
    written(at, 3)
    change(at, "UPDATE quality_records SET passed = 1 WHERE number = 1")
    status, shown, error = run(at, "history")
    assert status == 1
    assert "FAIL" in shown
    assert "the logbook was changed: record 1 of 2026-09-01" in error
    at.logbook.key.chmod(0o644)
    assert run(at, "history")[0] == 2


def test_curves_are_read_back_and_what_is_none_is_left_out() -> None:
    """Through JSON and back, without what another version or somebody else wrote."""
    plain = json.loads(json.dumps([*(curve.to_dict() for curve in CURVES), {"title": "x"}, 7, {"points": 3}]))
    assert curves_in({"curves": plain}) == CURVES


@pytest.mark.parametrize(
    ("value", "shown"), [(36140.4, "36140"), (340.25, "340.2"), (0.01234567, "0.01235"), (-52345.0, "-52345")]
)
def test_figures_are_shown_with_digits_that_can_be_read(value: float, shown: str) -> None:
    """Four digits, and no power of ten where there are some ten thousand counts."""
    assert str(Figure(name="n", value=value, unit="cps")) == f"n {shown} cps"
