"""The commands of a day as they are typed, on the simulated bench: each leaves a record, which the next finds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ACQUIRE = (sys.executable, "-c", "from service import acquire; acquire()")
SECONDS = 170

pytestmark = pytest.mark.timeout(1200)
"""Six commands, each of which a busy host takes most of a minute to start."""


def acquire(folder: Path, *arguments: str, status: int = 0) -> Any:
    """Run a command in a folder of its own, and give what it printed as JSON; its words where it failed."""
    done = subprocess.run(  # noqa: S603 - our own command
        [*ACQUIRE, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if status == 0 else done.stderr


def test_a_day_of_counts_is_in_the_logbook(tmp_path: Path) -> None:
    """Background, a count over it, specimens; then history has them all, signed, and a report is written."""
    unasked = ("--simulate", "--yes", "--json", "--person", "A. Berg")
    background = acquire(tmp_path, "background", "--seconds", "20", *unasked)
    assert background["passed"]
    count = acquire(tmp_path, "count", "swab 3", "--error", "0.02", "--seconds", "600", *unasked)
    assert count["label"] == "swab 3"
    assert {"net rate", "detects in this time"} <= {each["name"] for each in count["figures"]}
    specimens = acquire(tmp_path, "exvivo", "--specimen", "a", "--specimen", "b", *unasked)
    assert [each["name"] for each in specimens["specimens"]] == ["a", "b"]
    assert specimens["specimens"][1]["verdict"] == "above"
    history = acquire(tmp_path, "history", "--simulate", "--yes", "--json")
    added = sorted(history["records"], key=lambda each: each["number"])  # a simulated bench's clocks overlap
    assert [(each["kind"], each["person"], each["simulated"]) for each in added] == [
        ("background", "A. Berg", True),
        ("count", "A. Berg", True),
        ("exvivo", "A. Berg", True),
    ]
    assert history["faults"] == []
    report = acquire(tmp_path, "report", "--simulate", "--yes", "--json")
    assert (tmp_path / report["pdf"]).read_bytes().startswith(b"%PDF")
    assert report["number"] == 3


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    """An error that no count reaches, and a logbook whose key others may read."""
    assert acquire(tmp_path, "count", "--simulate", "--yes", "--error", "0", status=2) == (
        "a relative error of 0: wants 0.0005 to 0.5, as 0.01 for one per cent\n"
    )
    (tmp_path / "var").mkdir(exist_ok=True)
    (tmp_path / "var" / "simulated-quality.key").write_text("00" * 32)
    (tmp_path / "var" / "simulated-quality.key").chmod(0o644)
    assert "chmod 600" in acquire(tmp_path, "history", "--simulate", "--json", status=2)
