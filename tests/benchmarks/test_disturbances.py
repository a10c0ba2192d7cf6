"""The disturbances do what they say, and what the service does about them is what it says."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.disturbances import (
    DISTURBANCES,
    LATE_S,
    LIFTED_MM,
    LIFTED_S,
    Patient,
    sieved,
    unsmoothed,
)
from benchmarks.recordings import Scene
from benchmarks.robustness import compare, replay
from navigation.observations import Observations
from tests.navigation.bench import BACKGROUND_CPS, LEAK, SENSITIVITY_CPS_PER_MBQ, calibrated, sweep

NODE_MM = np.array([4.0, -3.0, -20.0])
SIZE = 350


@pytest.fixture(scope="module")
def patient() -> Patient:
    """35 s over one node of 0.1 MBq, counted by formula."""
    rng = np.random.default_rng(21)
    observations = sweep(NODE_MM[None], np.array([0.1]), rng, seconds=SIZE / 10, width_mm=45.0)
    header = {
        "surface": {"point_mm": [0, 0, 0], "normal": [0, 0, 1]},
        "background": {"live_s": 30.0, "counts": round(30 * BACKGROUND_CPS)},
        "map": [
            {
                "name": "node",
                "kind": "node",
                "position_mm": [10.0, 2.0, -25.0],
                "sigma_mm": 8.0,
                "activity_mbq": 0.05,
                "activity_factor": 2.0,
            }
        ],
    }
    return Patient(
        scene=Scene(
            name="plain-0",
            family="plain",
            header=header,
            observations=replace(observations, taken_at_s=0.05 + 0.1 * np.arange(SIZE, dtype=np.float64)),
        ),
        truth=[{"name": "node", "kind": "node", "position_mm": NODE_MM.tolist(), "activity_mbq": 0.1}],
        response=calibrated(rng)[0],
        leak_cps_per_mbq=LEAK * SENSITIVITY_CPS_PER_MBQ,
    )


def disturbed(patient: Patient, name: str, seed: int = 5) -> Observations:
    return DISTURBANCES[name][0](patient, np.random.default_rng(seed))


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_seed_gives_the_same_disturbance(patient: Patient, name: str) -> None:
    """What a figure rests on can be made again."""
    one, other = disturbed(patient, name), disturbed(patient, name)
    assert np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.tip_mm, other.tip_mm)
    recorded = patient.scene.observations
    assert len(one) != SIZE or not (
        np.array_equal(one.counts, recorded.counts) and np.array_equal(one.tip_mm, recorded.tip_mm)
    )


def test_a_late_pose_is_that_of_a_moment_before(patient: Patient) -> None:
    """Half way between two readings, their poses' mean."""
    recorded, late = patient.scene.observations, disturbed(patient, "pose 50 ms late")
    assert pytest.approx(0.05) == LATE_S
    assert np.allclose(late.tip_mm[1:], (recorded.tip_mm[1:] + recorded.tip_mm[:-1]) / 2)


def test_the_sieve_finds_the_wild_poses(patient: Patient) -> None:
    """Nearly all are left out, and no good reading."""
    recorded, wild = patient.scene.observations, disturbed(patient, "2 % wild poses")
    is_wild = (wild.tip_mm != recorded.tip_mm).any(axis=1)
    passed, reasons = sieved(wild, patient)
    assert is_wild.sum() >= 3
    assert len(passed) == SIZE - sum(reasons.values())
    assert np.isin(recorded.taken_at_s[~is_wild], passed.taken_at_s).all()
    assert np.isin(recorded.taken_at_s[is_wild], passed.taken_at_s).sum() <= 1


def test_the_sieve_leaves_a_reading_that_came_twice_once(patient: Patient) -> None:
    """What is left is what was recorded."""
    twice = disturbed(patient, "2 % counted twice")
    passed, reasons = sieved(twice, patient)
    assert len(twice) > SIZE
    assert reasons == {"repeated": len(twice) - SIZE}
    assert np.array_equal(passed.counts, patient.scene.observations.counts)


def test_a_lifted_probe_counts_background_and_is_let_through(patient: Patient) -> None:
    """Nothing of it is wrong: it is far off, it counts little, and all of it is used."""
    lifted = disturbed(patient, "lifted for 20 s")
    passed, reasons = sieved(lifted, patient)
    aloft = lifted.tip_mm[:, 2] > LIFTED_MM / 2
    assert reasons == {}
    assert len(passed) == len(lifted) == SIZE + aloft.sum()
    assert lifted.counts[aloft].sum() / lifted.live_time_s[aloft].sum() == pytest.approx(BACKGROUND_CPS, rel=0.5)
    assert np.ptp(lifted.taken_at_s) == pytest.approx(np.ptp(patient.scene.observations.taken_at_s) + LIFTED_S)


def test_undoing_the_rate_meter_gives_back_what_was_counted(patient: Patient) -> None:
    """Counts and time add up again, but for what the start does not tell and the end still holds."""
    recorded = patient.scene.observations
    counted, _ = unsmoothed(disturbed(patient, "rate smoothed over 1 s"), patient)
    assert counted.live_time_s.sum() == pytest.approx(recorded.live_time_s.sum(), rel=0.05)
    assert counted.counts.sum() == pytest.approx(recorded.counts.sum(), rel=0.1)


def test_a_rate_meter_undone_still_finds_the_node(patient: Patient) -> None:
    """Taken for counts its values mislead; undone they do as well as half the counts would."""
    smoothed = disturbed(patient, "rate smoothed over 1 s")
    [misled_mm] = replay(patient, smoothed, 30).errors_mm
    [found_mm] = replay(patient, unsmoothed(smoothed, patient)[0], 10).errors_mm
    assert found_mm < 4.0
    assert found_mm < misled_mm


def test_a_line_says_what_was_left_out_and_how_far_off_the_answer_is(patient: Patient) -> None:
    """The sieve takes out every reading that came twice: the answer is the undisturbed one."""
    clean = replay(patient, patient.scene.observations, 30)
    line = compare("2 % counted twice", [patient], [clean], 30)
    assert line["undisturbed_mm"] == pytest.approx(clean.errors_mm[0], abs=0.01)
    assert line["median_mm"] == line["undisturbed_mm"]
    assert line["ratio"] == 1.0
    assert line["rejected"]["repeated"] > 0
