"""A sheet tried on a port: what is shown of each frame, and whether it is fit for the site file."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from devices.clock import monotonic
from devices.probes.sheet_file import read_sheet
from devices.probes.trying import Trial, show, try_sheet
from simulators.ports import open_pty_port
from simulators.probes.counting import Counter
from simulators.probes.mightyohm import SimulatedMightyOhm
from tests.devices.probes.talk import steady

SHEETS = Path(__file__).parents[3] / "config" / "instruments"


def hurried() -> SimulatedMightyOhm:
    """Give a counter in a hurry."""
    counted = Counter(
        events=steady(40.0, np.random.default_rng(1)), powered_at_s=monotonic(), rng=np.random.default_rng(1)
    )
    return SimulatedMightyOhm(
        counted.events, powered_at_s=counted.powered_at_s, rng=counted.rng, dead_time_s=0.0, speed=100.0
    )


async def test_trying_shows_bytes_beside_readings_and_refusals(tmp_path: Path) -> None:
    """Each frame is told with what became of it, and at the end whether the sheet is fit."""
    said: list[str] = []
    sheet = read_sheet(SHEETS / "mightyohm.toml")
    async with open_pty_port(hurried(), tmp_path / "probe") as port:
        trial = await try_sheet(sheet, port.url, seconds=1.0, clock=monotonic, say=said.append)
    assert trial.is_good
    assert trial.sentence().endswith("it can go into the site file")
    assert any("'CPS, " in line and "counts in 1 s, ok" in line for line in said)
    assert trial.readings <= trial.frames <= len(said)


async def test_trying_the_wrong_sheet_says_what_to_compare(tmp_path: Path) -> None:
    """Frames that do not match are shown with the reason, and the verdict is no."""
    said: list[str] = []
    sheet = read_sheet(SHEETS / "ludlum375.toml")
    async with open_pty_port(hurried(), tmp_path / "probe") as port:
        trial = await try_sheet(sheet, port.url, seconds=0.5, clock=monotonic, say=said.append)
    assert not trial.is_good
    assert "compare fields with the bytes above" in trial.sentence()
    assert any("refused: does not match fields.pattern" in line for line in said)


class Drone:
    """An instrument that sends bytes that are no line."""

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it does not listen
        """Give no answer."""
        return b""

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it keeps no time
        """Say the same again."""
        return b"\x80\xfe"


async def test_trying_shows_bytes_that_are_no_frame(tmp_path: Path) -> None:
    """At a wrong baud rate nothing is framed: the bytes are shown as they are."""
    said: list[str] = []
    sheet = read_sheet(SHEETS / "mightyohm.toml")
    async with open_pty_port(Drone(), tmp_path / "probe") as port:
        trial = await try_sheet(sheet, port.url, seconds=0.5, clock=monotonic, say=said.append)
    assert "compare baud_rate, character and framing" in trial.sentence()
    assert "80 fe 80 fe" in said[-1]


async def test_trying_silence_says_so(tmp_path: Path) -> None:
    """Where nothing comes the words are about power and cable."""
    sheet = read_sheet(SHEETS / "gammascout.toml")

    class Mute(Drone):
        def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it is mute
            return b""

    async with asyncio.timeout(20), open_pty_port(Mute(), tmp_path / "probe") as port:
        trial = await try_sheet(sheet, port.url, seconds=0.3, clock=monotonic, say=lambda _: None)
    assert (trial.received, trial.is_good) == (0, False)
    assert "nothing came: check the cable" in trial.sentence()


@pytest.mark.parametrize("afterwards", [b"", b"keep-alive\r\n"])
async def test_an_instrument_that_falls_silent_is_not_fit(afterwards: bytes, tmp_path: Path) -> None:
    """It counts until it was heard, and then says nothing, or nothing that is a reading: the verdict is no."""
    said: list[str] = []
    sheet = read_sheet(SHEETS / "mightyohm.toml")
    brief = sheet.model_copy(update={"counting": sheet.counting.model_copy(update={"period_s": 0.05})})

    class Brief(Drone):
        def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - whenever it is asked
            return afterwards if said else b"CPS, 3, CPM, 18, uSv/hr, 0.10, SLOW\r\n"

    async with asyncio.timeout(20), open_pty_port(Brief(), tmp_path / "probe") as port:
        trial = await try_sheet(brief, port.url, seconds=3.0, clock=monotonic, say=said.append)
    assert trial.readings > 0, said
    assert not trial.is_good
    assert "it fell silent" in trial.sentence()


def test_many_refusals_are_not_good() -> None:
    """Readings come, but every other frame is refused: not yet fit for the site file."""
    trial = Trial(received=900, frames=20, readings=10, rejected=10, identity="")
    assert not trial.is_good
    assert "too many frames are refused" in trial.sentence()


def test_bytes_are_shown_as_text_where_they_are() -> None:
    """Text in quotes, other bytes in hexadecimal, long ones cut."""
    assert show(b"CPS, 1") == "'CPS, 1'"
    assert show(b"\x00\x1c") == "00 1c"
    assert show(b"x" * 60).endswith("…")
