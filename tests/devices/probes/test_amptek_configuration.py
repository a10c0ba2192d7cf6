"""Settings of a DP5 read back: what the site file wants of them, and the instrument's own window."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.clock import monotonic
from devices.errors import DeviceError, DeviceFault, FrameError
from devices.probes.amptek import Amptek, Settings
from devices.probes.amptek_configuration import ask_settings, is_same_value, read_settings
from devices.probes.amptek_packets import ASK_SETTINGS, SETTINGS, Packet, answer_splitter
from simulators.faults import Fault, Piece, corrupting, intact
from simulators.ports import open_pty_port
from simulators.probes.amptek import SimulatedAmptek

WINDOW: dict[str, Any] = {"window_kev": (126, 154), "energy_kev_per_channel": 1.0}


def simulated(given: list[int] | None = None) -> SimulatedAmptek:
    """Give a DP5 that sees 50 events in the window each time it is asked."""

    def events(*_: float) -> int:
        if given is not None:
            given.append(50)
        return 50

    return SimulatedAmptek(events, powered_at_s=monotonic(), rng=np.random.default_rng(1), dead_time_s=0.0)


@asynccontextmanager
async def connected(
    instrument: SimulatedAmptek, tmp_path: Path, *, fault: Fault = intact, **changes: Any
) -> AsyncIterator[Amptek]:
    """Open the driver on an instrument."""
    async with asyncio.timeout(60), open_pty_port(instrument, tmp_path / "gamma", fault=fault) as port:
        entry = {"driver": "amptek", "port": port.url, "interval_s": 0.02, "answer_s": 0.2} | changes
        async with Settings.model_validate(entry).connect("gamma", clock=monotonic) as probe:
            yield probe


def test_the_request_and_its_answer_byte_for_byte() -> None:
    """The number of channels is asked for as 20 03, and comes as text in 82 07."""
    asked = Packet(pid=ASK_SETTINGS, payload=ask_settings(["MCAC"])).to_bytes()
    assert asked == bytes.fromhex("f5 fa 20 03 00 05 4d 43 41 43 3b fc 9a")
    answer = Packet(pid=SETTINGS, payload=b"MCAC=256;").to_bytes()
    (frame,) = answer_splitter().feed(answer, 0.0)
    assert read_settings(Packet.from_bytes(frame.raw).payload) == {"MCAC": "256"}
    assert ask_settings(("SCAI=2", "SCAL", "SCAH")) == b"SCAI=2;SCAL;SCAH;"
    assert read_settings(b"SCAI=2;SCAL=126;SCAH=154;\0") == {"SCAI": "2", "SCAL": "126", "SCAH": "154"}


@given(st.binary(max_size=60))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever comes, settings are read or a FrameError raised."""
    with suppress(FrameError):
        read_settings(raw)


@pytest.mark.parametrize(
    ("wanted", "told", "expected"),
    [("10.0", "10.000", True), ("off", "OFF", True), ("10.0", "10.1", False), ("OFF", "0", False)],
)
def test_values_are_compared_by_what_they_mean(wanted: str, told: str, expected: bool) -> None:  # noqa: FBT001
    """Digits behind the point make no other number."""
    assert is_same_value(wanted, told) is expected


async def test_an_instrument_that_is_set_up_as_the_site_says_counts(tmp_path: Path) -> None:
    """Gain and channels as the file has them: it counts; with another gain it is refused with both values."""
    configuration = {"GAIN": "10.0", "MCAC": "256"}
    async with connected(simulated(), tmp_path, configuration=configuration, **WINDOW) as probe:
        assert (await anext(probe)).counts == 50
    instrument = simulated()
    instrument.configuration["GAIN"] = "5.000"
    with pytest.raises(DeviceError, match=r"GAIN is 5\.000, the site file says 10\.0: load its settings"):
        async with connected(instrument, tmp_path, configuration=configuration, **WINDOW):
            pass


async def test_a_setting_that_it_does_not_know_is_named(tmp_path: Path) -> None:
    """The instrument refuses it, and its words are told."""
    with pytest.raises(DeviceFault, match=r"does not know this command \(ZZZZ;\)"):
        async with connected(simulated(), tmp_path, configuration={"ZZZZ": "1"}, **WINDOW):
            pass


async def test_its_own_analyser_gives_the_window(tmp_path: Path) -> None:
    """Without a window in the site file the channels of the named analyser count."""
    instrument = simulated()
    instrument.analysers[3] = (126, 154)
    async with connected(instrument, tmp_path, window_sca=3) as probe:
        assert (await anext(probe)).counts == 50
    instrument = simulated()
    instrument.analysers[3] = (0, 255)
    async with connected(instrument, tmp_path, window_sca=3) as probe:
        assert (await anext(probe)).counts > 60  # scatter too


async def test_an_analyser_beside_a_window_must_pass_the_same(tmp_path: Path) -> None:
    """Who listens to its output would count another thing than the page."""
    instrument = simulated()
    instrument.analysers[1] = (126, 154)
    async with connected(instrument, tmp_path, window_sca=1, **WINDOW) as probe:
        assert (await anext(probe)).counts == 50
    instrument = simulated()
    instrument.analysers[1] = (100, 154)
    with pytest.raises(DeviceError, match="analyser 1 passes channels 100 to 154, the window has 126 to 154"):
        async with connected(instrument, tmp_path, window_sca=1, **WINDOW):
            pass
    instrument.analysers[1] = (154, 100)
    with pytest.raises(DeviceError, match=r"analyser 1 has no window \(SCAL, SCAH\)"):
        async with connected(instrument, tmp_path, window_sca=1):
            pass


@pytest.mark.parametrize(
    ("answer", "named"),
    [(b"SCAI=1;SCAL=300;SCAH=900;", "analyser 1 where 2"), (b"SCAL=300;SCAH=900;", "analyser not named where 2")],
)
def test_the_window_of_another_analyser_is_refused(answer: bytes, named: str) -> None:
    """Told the channels of an analyser that was not asked for, the driver would count another thing."""
    alone = Settings.model_validate({"driver": "amptek", "port": "/dev/ttyUSB0", "window_sca": 2})
    assert named in alone.refuse(read_settings(answer))
    assert alone.refuse(read_settings(b"SCAI=2;SCAL=300;SCAH=900;")) == ""
    assert alone.refuse(read_settings(b"SCAI=02;SCAL=300;SCAH=900;")) == ""


async def test_an_analyser_that_it_does_not_have_is_refused(tmp_path: Path) -> None:
    """An instrument that answers for its first analyser instead does not count."""

    def answer_for_the_first(said: bytes) -> list[Piece]:
        answered = said.startswith(bytes.fromhex("f5 fa 82 07"))
        return [(0.0, Packet(pid=SETTINGS, payload=b"SCAI=1;SCAL=300;SCAH=900;").to_bytes() if answered else said)]

    with pytest.raises(DeviceError, match="the window of analyser 1 where 2 was asked for"):
        async with connected(simulated(), tmp_path, fault=answer_for_the_first, window_sca=2):
            pass


async def test_a_flipped_bit_in_the_settings_costs_an_answer(tmp_path: Path) -> None:
    """Damaged, it is asked for again; all that is counted behind it is read, once, beside the spectrum."""
    given: list[int] = []
    instrument = simulated(given)
    fault = corrupting(0.0003, np.random.default_rng(5))
    async with connected(instrument, tmp_path, fault=fault, configuration={"GAIN": "10"}, **WINDOW) as probe:
        readings = [await anext(probe) for _ in range(30)]
        assert probe.spectrum is not None
        assert probe.spectrum.status is not None
        assert sum(probe.spectrum.counts) == probe.spectrum.status.slow_counts
        assert sum(probe.spectrum.counts[126:155]) == sum(reading.counts for reading in readings)
        traffic = probe.traffic
    assert {reading.counts % 50 for reading in readings} == {0}
    assert traffic.timeouts > 0
    assert traffic.frames >= 30
    assert traffic.received_bytes > 30 * 800
    assert traffic.resyncs == 1  # the first, after it was switched on


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window_sca": 0}, "window_sca"),
        ({"configuration": {"gain": "1"}}, "configuration"),
        ({"window_kev": None, "energy_kev_per_channel": None}, "or window_sca"),
    ],
)
def test_settings_that_cannot_be_are_named(changes: dict[str, Any], words: str) -> None:
    """Analysers are numbered from 1 to 16, settings have four capital letters, something must be the window."""
    good = {"driver": "amptek", "port": "/dev/ttyUSB0", **WINDOW}
    assert Settings.model_validate(good).keys == ()
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(good | changes)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (WINDOW, ""),
        (WINDOW | {"window_sca": 3}, ""),
        ({"window_channels": (126, 154)}, "channels 126 to 154"),
        ({"window_channels": (126, 154), "window_sca": 3}, "channels 126 to 154"),
        ({"window_sca": 3}, "its own analyser 3"),
    ],
)
def test_a_window_that_is_not_in_kev_is_told_in_words(window: dict[str, Any], said: str) -> None:
    """Whoever reads the time-out list learns of channels and analyser what the site file says."""
    assert Settings.model_validate({"driver": "amptek", "port": "/dev/ttyUSB0", **window}).window_said == said
