"""Which way a probe looks, from tilts and turns about a point source that other physics than ours counts."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from acquisition.calibration import read_calibration
from navigation.calibration.counted_track import CountedTrack
from navigation.calibration.looking import LookDirection, calibrate_look
from navigation.errors import NavigationError
from simulators.probe_physics import ProbePhysics

RESPONSE = read_calibration(Path(__file__).parents[3] / "config" / "instruments" / "simulated-gamma.json").response
SOURCE_MM = np.array((3.0, -4.0, 22.0))
DELAY_S, SECONDS, READING_S = 0.06, 20.0, 0.1


@cache
def counted(
    off_deg: tuple[float, float],
    *,
    tilt_deg: float = 35.0,
    turn_deg: float = 100.0,
    periods_s: tuple[float, float, float] = (2.9, 4.1, 7.3),
    delay_s: float = DELAY_S,
) -> CountedTrack:
    """Tip at rest before a source of 1 MBq, tilted and turned about its shaft; without noise.

    The probe's bore is turned by ``off_deg`` towards x and y of the tip's frame. ``periods_s`` are those of the
    tilt about both and of the turn.
    """
    physics = ProbePhysics()
    bore = Rotation.from_euler("yx", (off_deg[0], -off_deg[1]), degrees=True)

    def turn(at_s: np.ndarray) -> Rotation:
        angles = np.array((tilt_deg, tilt_deg, turn_deg)) * np.sin(2 * np.pi * at_s[:, None] / np.array(periods_s))
        return Rotation.from_euler("xyz", angles, degrees=True)

    start_s = np.arange(0.0, SECONDS - READING_S, READING_S)
    fine_s = (start_s[:, None] + (np.arange(4) + 0.5) / 4 * READING_S - delay_s).ravel()
    seen_mm = (turn(fine_s) * bore).inv().apply(SOURCE_MM)
    rates = np.array([physics.rate_cps(each[None], np.ones(1), np.zeros(1)) for each in seen_mm])
    at_s = np.arange(-1.2, SECONDS + 1.2, 1 / 60)
    return CountedTrack(
        start_s=start_s,
        real_time_s=np.full(start_s.shape, READING_S),
        live_time_s=np.full(start_s.shape, READING_S),
        counts=rates.reshape(-1, 4).mean(axis=1) * READING_S,
        at_s=at_s,
        tip_mm=np.zeros((len(at_s), 3)),
        turn=turn(at_s).as_matrix(),
    )


def circled(off_deg: tuple[float, float] = (0.0, 0.0), *, seed: int = 1) -> CountedTrack:
    """The same with Poisson counts, and poses to 0.2 mm."""
    return drawn(counted(off_deg), seed=seed)


def drawn(true: CountedTrack, *, seed: int) -> CountedTrack:
    """Draw counts and poses."""
    rng = np.random.default_rng(seed)
    return replace(
        true,
        counts=rng.poisson(true.counts).astype(np.float64),
        tip_mm=true.tip_mm + rng.normal(0, 0.2, true.tip_mm.shape),
    )


@pytest.mark.parametrize("off_deg", [(0.0, 0.0), (3.0, 0.0), (-2.0, 2.0), (0.0, 12.0)])
def test_the_direction_of_greatest_counts_is_found_to_half_a_degree(off_deg: tuple[float, float]) -> None:
    """Wherever the bore looks: to 0.5°, within four standard errors, and without knowing where the source is."""
    found = calibrate_look(circled(off_deg), RESPONSE)
    assert found.off_deg == pytest.approx(off_deg, abs=0.5)
    assert np.abs(found.off_deg - off_deg).max() < 4 * found.sigma_deg
    assert found.sigma_deg < 0.4
    low_deg, high_deg = found.interval_deg
    assert low_deg <= found.away_deg <= high_deg
    assert found.correlation > 0.95
    assert found.distance_mm == pytest.approx(float(np.linalg.norm(SOURCE_MM)), rel=0.25)


def on_time(circuit: CountedTrack, _: int) -> CountedTrack:
    """As the probe tells it."""
    return circuit


def held_up(circuit: CountedTrack, seed: int) -> CountedTrack:
    """As a host that stalls at times, for up to 0.6 s, gets it: what is counted meanwhile is told at the end."""
    rng, told_s = np.random.default_rng([7, seed]), circuit.start_s + READING_S
    stall_s = 0.0
    while (stall_s := stall_s + rng.exponential(1.5)) < SECONDS:
        lasts_s = rng.uniform(0.1, 0.6)
        told_s = np.where((told_s > stall_s) & (told_s < stall_s + lasts_s), stall_s + lasts_s, told_s)
        stall_s += lasts_s
    return replace(circuit, start_s=told_s - READING_S)


@pytest.mark.parametrize("came", [on_time, held_up])
@pytest.mark.parametrize("off_deg", [0.0, 3.0])
def test_the_interval_holds_the_angle_in_95_of_100(
    off_deg: float, came: Callable[[CountedTrack, int], CountedTrack]
) -> None:
    """Over 24 circuits at least 21 intervals hold it, and the errors are as stated, whenever the counts arrive.

    So it is for a bore that is 3° off as for a straight one, where every error is away from the truth.
    """
    circuits = [came(circled((off_deg, 0.0), seed=seed), seed) for seed in range(24)]
    found = [calibrate_look(circuit, RESPONSE) for circuit in circuits]
    held = [low_deg <= off_deg <= high_deg for low_deg, high_deg in (each.interval_deg for each in found)]
    assert sum(held) >= 21
    errors_deg = np.array([each.off_deg - (off_deg, 0.0) for each in found])
    assert np.abs(errors_deg.mean(axis=0)).max() < 0.15
    assert errors_deg.std() < 1.5 * np.mean([each.sigma_deg for each in found])
    assert max(each.sigma_deg for each in found) < 0.4


def looked(track: CountedTrack) -> LookDirection | str:
    """What was found, or why nothing was."""
    try:
        return calibrate_look(track, RESPONSE)
    except NavigationError as exc:
        return str(exc)


@pytest.mark.parametrize("periods_s", [(2.0, 2.0, 4.0), (1.0, 1.0, 3.0)])
def test_an_even_hand_is_not_mistaken_for_another_delay(periods_s: tuple[float, float, float]) -> None:
    """A delay that is longer by a swing fits nearly as well, and with another direction: 15 to 40° off.

    Of 14 swings one may be refused since two fit alike; none is told wrong.
    """
    refused = []
    for off_deg in ((0.0, 0.0), (4.0, 0.0)):
        for delay_s in (-0.45, -0.3, -0.15, 0.0, 0.15, 0.3, 0.45):
            track = drawn(counted(off_deg, periods_s=periods_s, delay_s=delay_s), seed=round(1000 * delay_s) + 500)
            found = looked(track)
            if isinstance(found, str):
                refused.append(found)
            else:
                assert found.off_deg == pytest.approx(off_deg, abs=max(0.5, 4 * found.sigma_deg))
                assert found.sigma_deg < 0.5
    assert len(refused) <= 1
    assert all("fit alike" in each for each in refused)


def test_a_delay_beyond_all_others_and_a_swing_in_one_rhythm_are_named() -> None:
    """Neither can tell the direction."""
    with pytest.raises(NavigationError, match="delay is more than"):
        calibrate_look(drawn(counted((0.0, 0.0), delay_s=0.6), seed=1), RESPONSE)
    with pytest.raises(NavigationError, match="fit alike: swing it less evenly"):
        calibrate_look(drawn(counted((4.0, 0.0), periods_s=(0.9, 0.9, 0.9), delay_s=0.15), seed=1), RESPONSE)


def test_the_side_is_named() -> None:
    """As seen from behind with the up mark up: x of the tip's frame is to the left."""
    for off_deg, side in (
        ((3.0, 0.0), "left"),
        ((-3.0, 0.0), "right"),
        ((0.0, 3.0), "up mark"),
        ((0.0, -3.0), "side opposite to the up mark"),
    ):
        assert calibrate_look(circled(off_deg), RESPONSE).towards == side


def test_what_cannot_tell_the_direction_is_refused() -> None:
    """A probe held still, one never turned about its shaft, too few counts, and counts of something else."""
    circuit = circled()
    with pytest.raises(NavigationError, match="tilt it to all sides"):
        calibrate_look(replace(circuit, turn=np.tile(np.eye(3), (len(circuit.at_s), 1, 1))), RESPONSE)
    with pytest.raises(NavigationError, match="about its shaft by"):
        calibrate_look(drawn(counted((0.0, 0.0), tilt_deg=30.0, turn_deg=0.0), seed=1), RESPONSE)
    short = circuit.at_s < 5.0
    with pytest.raises(NavigationError, match="counts are too few"):
        calibrate_look(
            replace(circuit, at_s=circuit.at_s[short], tip_mm=circuit.tip_mm[short], turn=circuit.turn[short]),
            RESPONSE,
        )
    other = np.random.default_rng(3).poisson(200.0, circuit.counts.shape).astype(np.float64)
    with pytest.raises(NavigationError, match="do not follow the tilt"):
        calibrate_look(replace(circuit, counts=other), RESPONSE)
