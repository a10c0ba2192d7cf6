from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.estimation.belief import OUTSHONE_LOG_ODDS, OUTSHONE_NATS, is_outshone, presence_of, probability
from navigation.estimation.mixture import Fit, Mixture
from navigation.estimation.prior import Prior
from tests.navigation.estimation.test_posterior import _spot

ODDS = 1.0
SITE_CPS = np.array([1000.0, 500.0, 1.0])
PLACES_MM = np.array([[0.0, 0.0, -20.0], [30.0, 0.0, -15.0]])


@pytest.fixture
def beside() -> Fit:
    """A node beside an injection site: most of its counts come where the site's are a hundred times as many."""
    prior = Prior.from_hotspots([_spot("node", (0, 0, -20), 0.1), _spot("site", (30, 0, -15), 100.0, "injection")])
    by_source = np.stack([[10.0, 5.0, 2.0], SITE_CPS], axis=-1)
    return Fit(
        mixture=Mixture(
            priors=prior.sources,
            position_mm=PLACES_MM,
            log_activity=np.zeros(2),
            log_background=0.0,
            log_response=np.zeros(0),
        ),
        expected=np.ones(3),
        rate_cps=by_source.sum(axis=1) + 1.0,
        by_source_cps=by_source,
        jacobian=np.zeros((3, 0)),
        weight=np.ones(3),
        log_likelihood=0.0,
        log_posterior=0.0,
        covariance=np.zeros((0, 0)),
    )


ODDS = 1.0


def test_what_is_counted_in_a_site_s_flank_is_outshone(beside: Fit) -> None:
    """The node is: most of its counts come where the site's are a hundred times as many. The site is not."""
    assert is_outshone(beside, "node")


def test_what_is_counted_beyond_the_flank_is_not(beside: Fit) -> None:
    """Most counts come where the site is dim, however near that lies."""
    far = np.stack([[1.0, 1.0, 20.0], SITE_CPS], axis=-1)
    assert not is_outshone(replace(beside, by_source_cps=far, rate_cps=far.sum(axis=1) + 1.0), "node")


def test_in_a_flank_map_and_evidence_count_less() -> None:
    """What the flank may feign is taken off, and what is left of too little is nothing, not evidence against."""
    assert presence_of(ODDS, 5.0, is_outshone=True) == probability(OUTSHONE_LOG_ODDS + 5.0 - OUTSHONE_NATS)
    assert presence_of(ODDS, OUTSHONE_NATS / 2, is_outshone=True) == probability(OUTSHONE_LOG_ODDS)
    assert presence_of(ODDS, 5.0, is_outshone=False) == probability(ODDS + 5.0)


def test_the_map_alone_keeps_nothing_up_in_a_flank() -> None:
    """Counts that cannot tell leave a spot there improbable, and one that the map holds for unlikely as it is."""
    assert presence_of(ODDS, 0.0, is_outshone=True) < 0.5
    assert presence_of(-3.0, 0.0, is_outshone=True) == probability(-3.0)


def test_evidence_against_a_source_counts_in_full() -> None:
    """Also in a flank."""
    assert presence_of(ODDS, -3.0, is_outshone=True) == probability(OUTSHONE_LOG_ODDS - 3.0)


@given(st.floats(-10, 10), st.floats(-10, 10), st.booleans())
def test_more_evidence_never_makes_a_source_less_probable(first: float, second: float, outshone: bool) -> None:  # noqa: FBT001 - drawn by position
    """Also about the point where evidence begins to count."""
    low, high = sorted((first, second))
    assert presence_of(ODDS, low, is_outshone=outshone) <= presence_of(ODDS, high, is_outshone=outshone)
