import json
from pathlib import Path

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.probe.bench import PointSourceCount
from navigation.probe.response import FITTED
from navigation.probe.response_fit import fit_response
from navigation.tissue import NoTissue
from tests.navigation.bench import bench_counts, calibrated, plain_rate_cps


@pytest.mark.parametrize("is_short", [False, True])
def test_a_bench_of_a_morning_predicts_what_it_did_not_count(*, is_short: bool) -> None:
    """Four distances and a dozen angles foretell other places in the field of view within 5 %."""
    response, quality = calibrated(np.random.default_rng(3), is_short=is_short)
    angle = np.radians([0.0, 8.0, 18.0, 0.0, 12.0])
    distance = np.array([40.0, 40.0, 40.0, 70.0, 60.0])
    points = np.column_stack((distance * np.sin(angle), 0 * angle, distance * np.cos(angle)))
    ahead = np.tile([0.0, 0.0, 1.0], (5, 1))
    truth = plain_rate_cps(points, np.zeros((5, 3)), ahead, np.zeros(5))
    predicted = response.expected_rate_cps(points, np.zeros((1, 3)), ahead[:1], NoTissue())[0]
    assert predicted == pytest.approx(truth, rel=0.05)
    assert quality.model_error < 0.03
    assert quality.greatest_residual < 0.05


def test_what_the_bench_leaves_open_stays_open() -> None:
    """Without counts in water the attenuation keeps the table's value and error; with them it sharpens."""
    number = FITTED.index("attenuation_per_mm")
    short = calibrated(np.random.default_rng(4), is_short=True)[0]
    whole = calibrated(np.random.default_rng(4))[0]
    assert short.attenuation_per_mm == pytest.approx(0.01536, rel=1e-3)
    assert np.sqrt(short.covariance[number, number]) == pytest.approx(0.1, rel=0.02)
    assert whole.covariance[number, number] < short.covariance[number, number]


def test_too_few_counts_are_refused() -> None:
    """Two distances do not tell depth from sensitivity, and the sentence says what is wanted."""
    counts = [each for each in bench_counts(np.random.default_rng(1)) if each.angle_deg or each.distance_mm > 40]
    with pytest.raises(NavigationError, match="three distances"):
        fit_response(
            counts, 1200, 300, 4e-6, probe="x", nuclide="Tc-99m", window_kev=(120, 160), calibrated_at="2026-11-22"
        )


def _recorded(calibration: dict[str, list[dict[str, float]]]) -> list[PointSourceCount]:
    return [
        PointSourceCount(
            medium=str(each["medium"]),
            distance_mm=each["distance_mm"],
            lateral_mm=each["lateral_mm"],
            angle_deg=each["angle_deg"],
            activity_mbq=each["activity_mbq"],
            live_time_s=each["live_s"],
            counts=each["counts"],
        )
        for each in calibration["point_source"]
    ]


def test_photon_transport_is_followed_within_seven_percent(samples: Path) -> None:
    """Counts by photon transport, no formula of ours, are met: 7 % at worst where they are many."""
    calibration = json.loads((samples / "montecarlo/probe-A/calibration.json").read_text())
    _, quality = fit_response(
        _recorded(calibration),
        calibration["background"]["counts"],
        calibration["background"]["live_s"],
        3.994e-6,
        probe="A",
        nuclide="Tc-99m",
        window_kev=(120.0, 160.0),
        calibrated_at="2026-11-22",
    )
    assert quality.model_error < 0.05
    assert quality.greatest_residual < 0.07
