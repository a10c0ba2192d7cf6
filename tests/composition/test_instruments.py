"""How the instruments of a site file are shown, and which may navigate."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from composition.instruments import shown_devices
from config.site import SiteFileError, read_site
from service import acquire

SITE = """
[site]
name = "Hospital"
room = "2"

[probes.bench]
driver = "ludlum3030"
port = "/dev/ttyUSB0"
silence_s = 300.0
tool = "Probe"
"""
NAVIGATION = """
[trackers.camera]
driver = "openigtlink"
label = "Camera"
port = 18944
host = "127.0.0.1"
tools = ["Probe"]

[navigation]
probe = "bench"
tracker = "camera"
tool_from_tip = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
patient_from_reference = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
"""


def test_one_that_tells_finished_counts_is_not_silent_between_them(tmp_path: Path) -> None:
    """No age makes its readings stale, as they come now and then; whether it is there its link says."""
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    shown = shown_devices(read_site(path), is_replayed=False)["bench"]
    assert (shown.streams, shown.stale_after_s) == (False, None)


@pytest.mark.parametrize("command", [[], ["calibrate"]])
def test_no_morning_and_no_calibration_waits_for_finished_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """It would wait for counts that nobody starts: refused, with what takes such counts."""
    monkeypatch.chdir(tmp_path)
    Path("site.toml").write_text(SITE)
    result = CliRunner().invoke(acquire, [*command, "--config", "site.toml", "--yes"])
    assert result.exit_code != 0
    assert "bench tells finished counts only" in result.output
    assert "acquire count, background and exvivo take this one" in " ".join(result.output.split())


def test_one_that_tells_finished_counts_cannot_navigate(tmp_path: Path) -> None:
    """Its silence would not show within a second."""
    path = tmp_path / "site.toml"
    path.write_text(SITE + NAVIGATION)
    with pytest.raises(SiteFileError, match=r"bench\.silence_s is 300 s.*must show within a second: 0\.9 at most"):
        read_site(path)
