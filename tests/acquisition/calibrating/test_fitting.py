"""The outcome of a full calibration: a response with errors that foretells, or none; and its plot."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from acquisition.calibrating.fitting import judge_held_back
from acquisition.calibrating.plot import draw_calibration
from acquisition.calibrating.settings import HeldBackLimits
from navigation.probe.bench import PointSourceCount
from navigation.probe.response import Response
from tests.navigation.probe.test_prediction import transported


@pytest.fixture
def counted(samples: Path) -> tuple[list[PointSourceCount], Response]:
    """Fit what photon transport gives on the bench."""
    counts, fit = transported(samples)
    return counts, fit(counts)


def test_held_back_counts_of_photon_transport_pass(samples: Path) -> None:
    """Each third of them is foretold by the other two."""
    counts, fit = transported(samples)
    result = judge_held_back(counts, fit, HeldBackLimits(parts=3))
    assert result.passed, result.reason
    off, within = result.figures
    assert off.value < 4
    assert within.value > 90


def test_a_source_that_stood_elsewhere_is_named(samples: Path) -> None:
    """A count at 50 mm that was taken at 40 mm is what the others do not say."""
    counts, fit = transported(samples)
    wrong = next(
        number
        for number, each in enumerate(counts)
        if (each.medium, each.distance_mm, each.lateral_mm) == ("water", 50, 0)
    )
    counts[wrong] = replace(counts[wrong], counts=counts[wrong].counts * 1.6)
    result = judge_held_back(counts, fit, HeldBackLimits(parts=3))
    assert not result.passed
    assert "50 mm, 0°, 0 mm aside in water" in result.reason


def test_the_plot_shows_counts_response_and_what_is_left(counted: tuple[list[PointSourceCount], Response]) -> None:
    """An SVG with four panels and the probe's name, the same bytes each time, SIMULATED where it is; or a PNG."""
    counts, response = counted
    drawn = draw_calibration(response, counts, is_simulated=False)
    assert drawn == draw_calibration(response, counts, is_simulated=False)
    words = drawn.decode()
    assert words.startswith("<?xml")
    for said in ("A, Tc-99m in 120-160 keV", "left over, in stated errors", "angle at 30 mm in air", "50 mm deep"):
        assert said in words
    assert "SIMULATED" not in words
    assert "SIMULATED" in draw_calibration(response, counts, is_simulated=True).decode()
    assert draw_calibration(response, counts, is_simulated=False, kind="png").startswith(b"\x89PNG")


def test_the_response_of_photon_transport_is_told_whole(counted: tuple[list[PointSourceCount], Response]) -> None:
    """It survives JSON with its covariances, dead time and background among them."""
    _, response = counted
    again = Response.from_dict(json.loads(json.dumps(response.to_dict())))
    assert again.to_dict() == response.to_dict()
    older = {name: value for name, value in response.to_dict().items() if name != "counting_covariance"}
    assert Response.from_dict(older).counting_covariance is None
