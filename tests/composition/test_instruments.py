"""How the instruments of a site file are shown, and which may navigate."""

from pathlib import Path

import pytest

from composition.instruments import shown_devices
from config.site import SiteFileError, read_site

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


def test_a_finished_count_is_old_on_the_page_long_before_its_instrument_is_silent(tmp_path: Path) -> None:
    """It may say nothing for five minutes, but its count looks live for 5 s only."""
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    assert shown_devices(read_site(path), is_replayed=False)["bench"].stale_after_s == 5.0


def test_one_that_tells_finished_counts_cannot_navigate(tmp_path: Path) -> None:
    """Its silence would not show within a second."""
    path = tmp_path / "site.toml"
    path.write_text(SITE + NAVIGATION)
    with pytest.raises(SiteFileError, match=r"bench\.silence_s is 300 s.*must show within a second: 0\.9 at most"):
        read_site(path)
