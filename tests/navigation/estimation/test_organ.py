"""An organ that takes up tracer: it explains its own counts, and is never a target."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.estimation.posterior import Estimator, Posterior
from navigation.estimation.prior import Prior
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.steering.guidance import choose
from tests.navigation.bench import SKIN, calibrated, sweep

NODE_MM, ORGAN_MM = np.array([-12.0, -8.0, -22.0]), np.array([24.0, 14.0, -30.0])


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A hot spot as a person sorted it."""

    name: str
    kind: str
    centre_mm: NDArray[np.float64]
    covariance_mm2: NDArray[np.float64]
    activity_mbq: float
    activity_factor: float


def spot(name: str, kind: str, centre_mm: NDArray[np.float64], activity_mbq: float) -> Spot:
    return Spot(
        name=name, kind=kind, centre_mm=centre_mm + 2.0, covariance_mm2=4.0 * np.eye(3), activity_mbq=activity_mbq,
        activity_factor=2.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


@pytest.fixture(scope="module")
def seen() -> Observations:
    """Half a minute over a node and an organ of forty times its activity, 45 mm apart."""
    return sweep(np.array([NODE_MM, ORGAN_MM]), np.array([0.1, 4.0]), np.random.default_rng(77), seconds=30.0)


def believed(response: Response, spots: list[Spot], seen: Observations) -> Posterior:
    estimator = Estimator(response, Prior.from_hotspots(spots, shift_sigma_mm=4.0), SKIN)
    for start in range(0, len(seen), 60):
        posterior = estimator.add(seen.take(np.arange(start, min(start + 60, len(seen)))))
    return posterior


def test_an_organ_is_no_target_and_hides_none(response: Response, seen: Observations) -> None:
    """The node beside it is found; nothing that could be gone to lies where the organ is."""
    node, organ = spot("target 1", "target", NODE_MM, 0.1), spot("target 2", "organ", ORGAN_MM, 4.0)
    posterior = believed(response, [node, organ], seen)
    found = {each.name: each for each in posterior.targets}
    assert found["target 2"].kind == "organ"
    assert np.linalg.norm(found["target 2"].centre_mm - ORGAN_MM) < 6.0
    assert found["target 1"].is_localisable
    assert np.linalg.norm(found["target 1"].centre_mm - NODE_MM) < 6.0
    targets = [each for each in posterior.targets if each.kind == "target" and each.presence > 0.5]
    assert [each.name for each in targets] == ["target 1"]
    for wanted in (None, "target 2"):
        chosen = choose(posterior, wanted, ORGAN_MM)
        assert chosen is not None
        assert chosen.name == "target 1"


@pytest.mark.parametrize("sigma_mm", [12.0, 20.0])
def test_an_organ_centimetres_wide_makes_no_target(response: Response, sigma_mm: float) -> None:
    """Where it is spread evenly, what a point cannot explain of it is taken for no node; the node is found."""
    rng = np.random.default_rng(78)
    within = ORGAN_MM + sigma_mm * rng.standard_normal((1500, 3))
    within[:, 2] = np.minimum(within[:, 2], -4.0)  # in the body
    activity_mbq = np.concatenate(([0.1], np.full(len(within), 4.0 / len(within))))
    seen = sweep(np.concatenate((NODE_MM[None], within)), activity_mbq, rng, seconds=30.0)
    node, organ = spot("target 1", "target", NODE_MM, 0.1), spot("target 2", "organ", ORGAN_MM, 4.0)
    posterior = believed(response, [node, organ], seen)
    (target,) = [each for each in posterior.targets if each.kind == "target" and each.presence > 0.5]
    assert target.name == "target 1"
    assert np.linalg.norm(target.centre_mm - NODE_MM) < 6.0


def test_left_out_of_the_map_it_would_be_found_as_a_target(response: Response, seen: Observations) -> None:
    """Its counts are there: who leaves an organ out altogether is led to it."""
    posterior = believed(response, [spot("target 1", "target", NODE_MM, 0.1)], seen)
    targets = [each for each in posterior.targets if each.kind == "target" and each.is_localisable]
    assert min(float(np.linalg.norm(each.centre_mm - ORGAN_MM)) for each in targets) < 6.0


def test_a_kind_that_nobody_knows_is_refused() -> None:
    """A prior of it would be believed as one does not know what."""
    with pytest.raises(NavigationError, match="no target, injection or organ"):
        Prior.from_hotspots([spot("target 1", "neither", NODE_MM, 0.1)])
