"""Names of sources: those that the map gives to their places."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.recordings import Spot
from navigation.estimation.mixture import Mixture
from navigation.estimation.naming import names_by_map
from navigation.estimation.prior import Prior, SourcePrior

VOLUME_MM3 = 1e6
PLACES = {"left": (-20.0, 0.0, -20.0), "right": (20.0, 0.0, -20.0), "injection": (0.0, 60.0, -10.0)}


@pytest.fixture
def prior() -> Prior:
    """Two nodes 40 mm apart and an injection site."""
    return Prior.from_hotspots(
        [
            Spot(
                name=name,
                kind="injection" if name == "injection" else "target",
                centre_mm=np.array(place),
                covariance_mm2=9.0 * np.eye(3),
                activity_mbq=0.1,
                activity_factor=2.0,
            )
            for name, place in PLACES.items()
        ]
    )


def mixture_of(found: list[tuple[SourcePrior, tuple[float, float, float]]]) -> Mixture:
    return Mixture(
        priors=tuple(prior for prior, _ in found),
        position_mm=np.array([place for _, place in found], dtype=np.float64).reshape(-1, 3),
        log_activity=np.full(len(found), np.log(0.1)),
        log_background=0.0,
        log_response=np.zeros(1),
    )


def test_a_swapped_pair_gets_its_names_back(prior: Prior) -> None:
    """Two sources that were taken up under each other's name change them; the injection site keeps its own."""
    left, right, injection = prior.sources
    mixture = mixture_of(
        [(right, (-18.0, 2.0, -21.0)), (injection, (0.0, 55.0, -12.0)), (left, (22.0, 1.0, -19.0))]
    )
    assert names_by_map(mixture, [], VOLUME_MM3) == (left, injection, right)


def test_an_injection_site_is_never_a_target(prior: Prior) -> None:
    """What was born at the injection site while that had wandered off is the site, wherever the other one lies."""
    *_, injection = prior.sources
    born = replace(prior.unmapped, name="unmapped 1")
    mixture = mixture_of([(injection, (-24.0, 30.0, -4.0)), (born, (1.0, 59.0, -12.0))])
    assert names_by_map(mixture, prior.sources[:2], VOLUME_MM3)[1] == injection


def test_a_name_goes_to_the_absent_spot_whose_place_it_is(prior: Prior) -> None:
    """A lone source where the map has the other node is that node, and so is one that was on no map."""
    left, right, _ = prior.sources
    assert names_by_map(mixture_of([(left, (19.0, 0.0, -22.0))]), [right], VOLUME_MM3) == (right,)
    born = replace(prior.unmapped, name="unmapped 1")
    assert names_by_map(mixture_of([(born, (19.0, 0.0, -22.0))]), [left, right], VOLUME_MM3) == (right,)


def test_what_the_map_does_not_decide_stays(prior: Prior) -> None:
    """Between two spots, or far from both, a source keeps its name; without sources there is nothing to name."""
    left, right, _ = prior.sources
    for place in ((1.0, 0.0, -20.0), (300.0, 0.0, -20.0)):
        assert names_by_map(mixture_of([(left, place)]), [right], VOLUME_MM3) == (left,)
        born = replace(prior.unmapped, name="unmapped 1")
        assert names_by_map(mixture_of([(left, (-20.0, 0.0, -20.0)), (born, place)]), [], VOLUME_MM3) == (
            left,
            born,
        )
    assert names_by_map(mixture_of([]), [left, right], VOLUME_MM3) == ()
