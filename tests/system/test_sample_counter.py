"""Counting with a sample counter that tells finished counts only: which count belongs to which specimen."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from rich.console import Console

from acquisition.counting.bench import Counting
from acquisition.counting.exvivo import ExVivo, Listed, run_exvivo
from acquisition.counting.timed import run_background, run_count
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.bench import Bench
from acquisition.quality.counts import ANOTHER, EARLIER, START
from acquisition.quality.placements import Exposure, Placement
from acquisition.quality.settings import BackgroundLimits
from acquisition.quality.technologist import Unasked, wait_for_nobody
from composition.counting import SpecimenPlaces, placed_for_count
from config.nuclides import load_nuclides
from devices.clock import monotonic
from devices.probes.ludlum3030 import Settings
from simulators.ports import open_pty_port
from simulators.probes.counting import Counter
from simulators.probes.ludlum3030 import SimulatedLudlum3030

COUNT_S = 0.4
BACKGROUND_CPS = 25


class Tray:
    """What lies on the tray, and since when."""

    def __init__(self) -> None:
        self._cps, self._since_s = 0, 0.0

    def lay(self, cps: int) -> None:
        """Exchange what lies there for something that gives so many cps."""
        self._cps, self._since_s = cps, monotonic()

    def events(self, start_s: float, end_s: float) -> int:
        """Count it, and the background: fewer where it was laid there meanwhile."""
        return round(BACKGROUND_CPS * (end_s - start_s) + self._cps * (end_s - max(start_s, self._since_s)))


class Screen(io.StringIO):
    """A screen before which somebody presses the counter's button when asked to."""

    def __init__(self, press: Callable[[], None]) -> None:
        super().__init__()
        self._press = press

    def write(self, shown: str) -> int:
        """Show it, and press."""
        if START in shown or "start another" in shown:
            self._press()
        return super().write(shown)


class Person(Unasked):
    """Lays on the tray what is asked for, and presses the button too early: while the old still lies there."""

    def __init__(self, tray: Tray, cps: dict[str, int], press_early: Callable[[], None]) -> None:
        super().__init__(lambda _: None, None)
        self._tray, self._cps, self._press_early = tray, cps, press_early
        self.asked: list[str] = []

    async def place(self, placement: Placement) -> None:
        """Lay it there."""
        self.asked.append(placement.instruction)
        self._press_early()
        self._tray.lay(next((cps for name, cps in self._cps.items() if name in placement.instruction), 0))

    async def watch(self) -> NoReturn:
        """Wait for nobody."""
        await wait_for_nobody()


@pytest.mark.parametrize("is_recycling", [False, True])
async def test_no_count_that_began_before_a_specimen_lay_there_is_taken_for_its(
    *, is_recycling: bool, tmp_path: Path
) -> None:
    """Background, a count of two, and two specimens: each is the whole count that began with it on the tray."""
    tray = Tray()
    counter = Counter(events=tray.events, powered_at_s=monotonic(), rng=np.random.default_rng(1), dead_time_s=0.0)
    instrument = SimulatedLudlum3030(counter, count_s=COUNT_S, is_recycling=is_recycling)

    def press() -> None:
        if not instrument.is_counting:
            instrument.start(monotonic())

    person, screen = Person(tray, {"swab": 1000, "hot": 2000, "warm": 500}, press), Screen(press)
    async with open_pty_port(instrument, tmp_path / "bench") as port:
        device = Settings(driver="ludlum3030", port=port.url, interval_s=0.02)
        bench = Bench(
            probe="bench",
            device=device,
            technologist=person,
            logbook=LogbookSettings().beside(tmp_path),
            person="A. Berg",
            console=Console(file=screen, width=160),
        )
        counting = Counting(bench=bench, nuclide=load_nuclides()["Tc-99m"], settle_s=0.01)
        background = await run_background(counting, BackgroundLimits(count_s=0.3, greatest_cps=1000.0))
        swab = placed_for_count("swab", tray=device.tray_said, is_simulated=False)
        count = await run_count(counting, Exposure(placement=swab, longest_s=0.5), label="swab")
        places = SpecimenPlaces(tray=device.tray_said, is_simulated=False)
        asked = ExVivo(specimens=Listed(["hot", "warm"]), placed=places, count_s=0.1, background_s=0.1)
        specimens = await run_exvivo(counting, asked)
    assert background.count is not None
    assert count.count is not None
    assert (background.count.counts, background.count.live_time_s) == (10, COUNT_S)
    assert (count.count.counts, count.count.live_time_s) == (820, 2 * COUNT_S)
    assert [each.count.counts for each in specimens.counted] == [810, 210]
    assert all(outcome.passed for outcome in (background, count, specimens))
    assert person.asked == [
        "Put every source away and leave nothing on its tray",
        "Place swab on its tray, and nothing else near",
        "Put every specimen and source away and leave nothing on its tray",
        "Lay hot on its tray, and nothing else near",
        "Lay warm on its tray, and nothing else near",
    ]
    assert EARLIER.format(seconds=COUNT_S) in screen.getvalue()
    assert ANOTHER.format(counts=410, seconds=COUNT_S) in screen.getvalue()
