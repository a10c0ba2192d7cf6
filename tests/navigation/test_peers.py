from typing import Any

import numpy as np
import pytest

from benchmarks.peers import comparison
from benchmarks.peers.comparison import Comparison
from benchmarks.peers.particles import ParticleFilter
from benchmarks.recordings import Known, Scene
from tests.navigation.bench import BACKGROUND_CPS, calibrated, sweep

NODE = np.array([[6.0, -4.0, -18.0]])
RESPONSE = calibrated(np.random.default_rng(11))[0]


def _scene() -> Scene:
    mapped = {"name": "node", "kind": "node", "position_mm": [2.0, 1.0, -21.0], "sigma_mm": 8.0}
    header = {
        "surface": {"point_mm": [0, 0, 0], "normal": [0, 0, 1]},
        "background": {"live_s": 30.0, "counts": 30 * BACKGROUND_CPS},
        "map": [mapped | {"activity_mbq": 0.8, "activity_factor": 2.0}],
    }
    observations = sweep(NODE, np.array([1.0]), np.random.default_rng(4), seconds=60.0)
    return Scene(name="plain-0", family="plain", header=header, observations=observations)


def _compared(name: str) -> dict[str, Any]:
    compared = Comparison(names=[name])
    ours = {"targets": [{"error_mm": {"20": 1.0, "60": 0.5}}], "ms_median": 10.0}
    compared.add(_scene(), RESPONSE, [{"kind": "target", "position_mm": NODE[0].tolist()}], ours)
    return next(compared.summaries("plain"))


@pytest.mark.parametrize(("name", "within_mm"), [("peak", 15.0), ("mlem", 10.0), ("particles", 2.0)])
def test_each_peer_finds_a_strong_node_as_well_as_its_kind_can(name: str, within_mm: float) -> None:
    """1 MBq at 18 mm, alone, a minute: the peak within 15 mm, MLEM within 10, the particle filter within 2."""
    line = _compared(name)
    assert line["found"] == 1.0
    assert 0 < line["median_mm_60"] <= within_mm
    assert line["ours_over_theirs_mm_60"] == pytest.approx(0.5 / line["median_mm_60"], rel=0.05)
    assert line["ms"] > 0


def test_particles_beside_an_injection_site_stay_finite() -> None:
    """Where every reading resamples, ten seconds beside 100 MBq leave a place in the tissue and a covariance."""
    scene = _scene()
    site = {"name": "injection", "kind": "injection", "position_mm": [30.0, 20.0, -15.0], "sigma_mm": 2.0}
    scene.header["map"].append(site | {"activity_mbq": 100.0, "activity_factor": 1.2})
    places, activity_mbq = np.vstack((NODE, [[30.5, 19.0, -15.5]])), np.array([0.1, 95.0])
    peer = ParticleFilter(Known.of(scene.header, RESPONSE), np.random.default_rng(1))
    peer.add(sweep(places, activity_mbq, np.random.default_rng(2), seconds=10.0))
    (answer,) = peer.answers()
    assert answer.covariance_mm2 is not None
    assert np.isfinite(answer.covariance_mm2).all()
    assert -70 < answer.position_mm[2] < 0


@pytest.mark.timeout(300)
def test_the_sampled_posterior_holds_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow reference puts its mean within 1.5 mm of the node and the node within its region."""
    pytest.importorskip("emcee", reason="emcee is a development extra")
    monkeypatch.setattr(comparison, "TIMES_S", (60,))  # one answer is judged
    monkeypatch.setattr("benchmarks.peers.ensemble.STEPS", 150)  # the mean of 1,000 samples is steady enough
    line = _compared("ensemble")
    assert line["median_mm_60"] <= 1.5
    assert line["covered"] == 1.0
