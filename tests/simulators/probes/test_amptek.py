"""The simulated DP5 answers as the guide says and counts what it is given."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from devices.probes.amptek_packets import Packet, Pid, Spectrum, Status
from simulators.probes.amptek import SimulatedAmptek, SpectrumShape


def instrument(events: Callable[[float, float], int], **changes: Any) -> SimulatedAmptek:
    """Give a DP5 switched on at 100 s."""
    return SimulatedAmptek(
        events, powered_at_s=100.0, rng=np.random.default_rng(1), **({"dead_time_s": 0.0} | changes)
    )


def ask(dp5: SimulatedAmptek, pid: Pid, now_s: float) -> Packet:
    """Send a request and read the one answer."""
    return Packet.from_bytes(dp5.receive(Packet(pid=pid).to_bytes(), now_s))


def read(dp5: SimulatedAmptek, now_s: float) -> tuple[Spectrum, Status]:
    """Ask for spectrum, status and clear."""
    spectrum = Spectrum.from_packet(ask(dp5, (2, 4), now_s))
    assert spectrum.status is not None
    return spectrum, spectrum.status


def test_every_given_event_is_in_the_window_and_scatter_below_it() -> None:
    """Without dead time the window holds exactly the given events; what lies beside it comes on top."""
    dp5 = instrument(lambda *_: 10_000)
    spectrum, status = read(dp5, 101.0)
    assert sum(spectrum.counts[126:155]) == 10_000
    scatter = sum(spectrum.counts[:60])
    assert scatter == pytest.approx(6000, rel=0.05)
    assert sum(spectrum.counts[:126]) > 6000
    assert int(np.argmax(spectrum.counts)) in range(138, 144)
    assert status.slow_counts == status.fast_counts == sum(spectrum.counts)
    assert (status.accumulation_s, status.real_time_s) == (1.0, 1.0)


def test_counts_scatter_as_counts_do_with_a_drifted_gain_too() -> None:
    """A window that has lost part of the peak still holds Poisson counts: their variance is their mean."""
    rng = np.random.default_rng(4)
    dp5 = instrument(lambda *_: int(rng.poisson(500)), shape=SpectrumShape(gain=0.9))
    counts = [sum(read(dp5, 101.0 + second)[0].counts[126:155]) for second in range(1000)]
    # of a peak at 140.5 keV with sigma 4.77 what lies above 125.5 / 0.9 = 139.4, over what lies above 125.5
    assert np.mean(counts) == pytest.approx(500 * 0.59, rel=0.03)
    # the variance of 1000 counts is known to sqrt(2 / 1000)
    assert np.var(counts) / np.mean(counts) == pytest.approx(1.0, abs=0.18)


def test_compton_edge_of_technetium() -> None:
    """A 140.5 keV photon leaves at most 49.9 keV by one scattering: 140.5 (1 - 1 / (1 + 281 / 511))."""
    _, scatter = SpectrumShape().shares()
    filled = np.nonzero(scatter)[0]
    assert filled.max() == 49
    assert scatter.sum() == pytest.approx(1.0)


def test_asked_again_it_gives_only_what_is_new() -> None:
    """Clear on reading: each answer holds the time since the one before, in whole milliseconds."""
    asked: list[tuple[float, float]] = []

    def events(start_s: float, end_s: float) -> int:
        asked.append((start_s, end_s))
        return 5

    dp5 = instrument(events)
    for now_s, expected_s in ((100.25, 0.25), (100.5, 0.25), (100.7507, 0.25)):
        spectrum, status = read(dp5, now_s)
        assert sum(spectrum.counts[126:155]) == 5
        assert status.accumulation_s == expected_s
    assert asked == [(100.0, 100.25), (100.25, 100.5), (100.5, 100.7507)]


def test_without_clear_it_keeps_counting_up() -> None:
    """Requests 02 01 and 02 03 leave the spectrum as it is; 02 02 clears it."""
    dp5 = instrument(lambda *_: 5)
    for pid, now_s, expected in (((2, 1), 101.0, 5), ((2, 3), 102.0, 10), ((2, 2), 103.0, 15), ((2, 1), 104.0, 5)):
        spectrum = Spectrum.from_packet(ask(dp5, pid, now_s))
        assert sum(spectrum.counts[126:155]) == expected
        assert (spectrum.status is not None) == (pid == (2, 3))


def test_counters_begin_again_when_they_are_full() -> None:
    """The fast and the slow counter have 32 bits, the accumulation time 24 bits of 100 ms; channels stay full."""
    dp5 = instrument(lambda *_: 3 << 31)
    status = read(dp5, 101.0)[1]
    assert status.slow_counts == status.fast_counts < 1 << 32
    spectrum, status = read(instrument(lambda *_: 1 << 32), 100.0 + (1 << 24) / 10 + 0.5)
    assert spectrum.counts[140] == 0xFFFFFF
    assert status.accumulation_s == 0.5


def test_dead_time_shows_between_fast_and_slow() -> None:
    """The fast counter sees all, the slow one 1 / (1 + n tau) of it."""
    dp5 = instrument(lambda *_: 100_000, dead_time_s=5e-6)
    _, status = read(dp5, 101.0)
    expected = 1 / (1 + status.fast_counts * 5e-6)
    assert status.slow_counts / status.fast_counts == pytest.approx(expected, rel=0.01)


def test_speed_is_the_instruments_clock() -> None:
    """With speed 20, half a host second holds ten instrument seconds of counts and time."""
    dp5 = instrument(lambda start_s, end_s: round(100 * (end_s - start_s)), speed=20)
    spectrum, status = read(dp5, 100.5)
    assert status.accumulation_s == 10.0
    assert sum(spectrum.counts[126:155]) == 1000


def test_it_keeps_up_when_nobody_asks() -> None:
    """A tick collects what a second has brought, so that a later answer need not."""
    spans_s: list[float] = []

    def events(start_s: float, end_s: float) -> int:
        spans_s.append(end_s - start_s)
        return 0

    dp5 = instrument(events)
    for now_s in np.arange(100.0, 110.0, 0.25):
        assert dp5.tick(float(now_s)) == b""
    assert max(spans_s) <= 1.25


def test_disabled_it_neither_counts_nor_ages() -> None:
    """F0 03 stops counts and time, F0 02 lets both go on, F0 01 clears them."""
    dp5 = instrument(lambda *_: 5)
    assert ask(dp5, (0xF0, 3), 101.0).pid == (0xFF, 0)
    spectrum, status = read(dp5, 102.0)
    assert not status.is_mca_enabled
    assert status.accumulation_s == 1.0
    assert sum(spectrum.counts[126:155]) == 5
    assert ask(dp5, (0xF0, 2), 103.0).pid == (0xFF, 0)
    assert read(dp5, 104.0)[1].accumulation_s == 1.0
    assert ask(dp5, (0xF0, 1), 105.0).pid == (0xFF, 0)
    assert sum(read(dp5, 105.0)[0].counts) == 0


def test_the_first_status_says_that_it_was_started() -> None:
    """The reboot flag is set once, and after a restart once more, with counting off."""
    dp5 = instrument(lambda *_: 5)
    flags = [Status.from_bytes(ask(dp5, (1, 1), 101.0).payload).is_rebooted for _ in range(2)]
    assert flags == [True, False]
    dp5.restart()
    status = Status.from_bytes(ask(dp5, (1, 1), 102.0).payload)
    assert (status.is_rebooted, status.is_mca_enabled) == (True, False)


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        # printed in section 4.3: PID error, LEN error, checksum error
        ("F5 FA 77 01 00 00 FD 99", "F5 FA FF 02 00 00 FD 10"),
        ("F5 FA 01 01 00 01 00 FE 0E", "F5 FA FF 03 00 00 FD 0F"),
        ("F5 FA 01 01 00 00 FE 0E", "F5 FA FF 04 00 00 FD 0E"),
    ],
)
def test_bad_requests_are_refused_as_printed(request_bytes: str, answer: str) -> None:
    """Unknown, too long and wrongly summed requests get the printed acknowledgements."""
    dp5 = instrument(lambda *_: 0)
    assert dp5.receive(bytes.fromhex(request_bytes), 101.0) == bytes.fromhex(answer)


def test_noise_is_answered_with_nothing() -> None:
    """Without sync bytes there is no request and no answer (section 4.3.3); the request behind is answered."""
    dp5 = instrument(lambda *_: 0)
    assert dp5.receive(b"\x00\xff" + bytes.fromhex("F5FA F001 0000 FD20"), 101.0) == bytes.fromhex(
        "F5FAFF000000FD12"
    )


def test_half_a_request_is_forgotten_after_a_pause() -> None:
    """More than 100 ms within a request, and its beginning is dropped without a word (section 3.3)."""
    dp5 = instrument(lambda *_: 0)
    clear = bytes.fromhex("F5FA F001 0000 FD20")
    assert dp5.receive(clear[:5], 101.0) == b""
    assert dp5.receive(clear[5:], 101.09) == bytes.fromhex("F5FAFF000000FD12")
    assert dp5.receive(clear[:5], 102.0) == b""
    assert dp5.receive(clear[5:], 102.11) == b""
    assert dp5.receive(clear, 103.0) == bytes.fromhex("F5FAFF000000FD12")


def test_a_window_without_a_peak_is_refused() -> None:
    """A shape whose window sees no event of the line cannot count and says so."""
    with pytest.raises(ValueError, match="no event of 364"):
        instrument(lambda *_: 0, shape=SpectrumShape(line_kev=364.0, channels=256, window_kev=(126.0, 154.0)))
