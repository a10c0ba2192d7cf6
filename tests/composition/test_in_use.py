"""Calibrations that a room goes by, and files that hold others by now: said with what to do about it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from acquisition.durable import write_whole
from acquisition.tracking.settings import TimingSettings, TipSettings
from acquisition.tracking.timing import Timing
from acquisition.tracking.tip_file import AxisCheck, TipCalibration, write_tip
from composition.in_use import InUse, read_in_use
from composition.simulated import simulated_site
from config.settings import Site
from tests.acquisition.tracking.tips import tip_calibration

YESTERDAY = datetime.now(tz=UTC) - timedelta(days=1)
TIP = tip_calibration(YESTERDAY)
LATER = tip_calibration(YESTERDAY + timedelta(hours=1))
BORNE_OUT, AGAINST = (
    AxisCheck(checked_at=YESTERDAY, probe="gamma", passed=passed, away_deg=3.1, low_deg=2.6, high_deg=3.6)
    for passed in (True, False)
)


def timing(delay_s: float) -> Timing:
    """A delay of the counts."""
    return Timing(
        probe="gamma",
        tracker="camera",
        is_simulated=True,
        calibrated_at=YESTERDAY,
        delay_s=delay_s,
        sigma_s=0.01,
    )


class Files:
    """The files that a site names, and a room that has read them."""

    def __init__(self, folder: Path, *, tip: TipCalibration = TIP) -> None:
        self.tip, self.timing = folder / "tip.json", folder / "timing.json"
        write_tip(self.tip, tip)
        write_whole(self.timing, timing(0.02))
        self.site = self._named()
        self.in_use: InUse = read_in_use(self.site, is_simulated=True)

    def _named(self) -> Site:
        shipped = simulated_site()
        assert shipped.navigation is not None
        files = {"tip": TipSettings(file=self.tip, up=(0.0, 1.0, 0.0)), "timing": TimingSettings(file=self.timing)}
        return shipped.model_copy(update={"navigation": shipped.navigation.model_copy(update=files)})

    @property
    def waits(self) -> str:
        """What the room says of them."""
        return self.in_use.superseded(self.site, is_simulated=True)


def checked(tip: TipCalibration, check: AxisCheck) -> TipCalibration:
    """The same tip, after its axis was held against the counts."""
    return msgspec.structs.replace(tip, axis_check=check)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: None, ""),
        (lambda files: write_tip(files.tip, checked(TIP, BORNE_OUT)), ""),
        (lambda files: write_tip(files.tip, LATER), "a new calibration of the tip waits: restart radionav"),
        (lambda files: write_tip(files.tip, checked(TIP, AGAINST)), "counts most 3.1° beside its axis"),
        (
            lambda files: write_whole(files.timing, timing(0.03)),
            "a new delay of the counts waits: restart radionav",
        ),
        (lambda files: files.tip.write_text("{}"), "tip.json"),
        (lambda files: files.timing.unlink(), "timing.json"),
    ],
    ids=["nothing", "borne out", "another tip", "against the axis", "another delay", "damaged", "gone"],
)
def test_what_the_files_hold_by_now_is_said(tmp_path: Path, change: Callable[[Files], object], words: str) -> None:
    """Another tip or delay, counts against the tip, a file that cannot be read; not a check that held."""
    files = Files(tmp_path)
    assert files.waits == ""
    change(files)
    assert words in files.waits
    assert bool(files.waits) is bool(words)


def test_an_axis_that_was_against_it_and_passed_by_now_wants_a_restart(tmp_path: Path) -> None:
    """The room began with a doubt, and goes by it until it is started again."""
    files = Files(tmp_path, tip=checked(TIP, AGAINST))
    assert "beside its axis" in files.waits
    write_tip(files.tip, checked(TIP, BORNE_OUT))
    assert files.waits == "the tip's axis passed by now: restart radionav"
