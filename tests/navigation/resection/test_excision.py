from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.estimation.estimate import TargetEstimate, region_of
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.resection.excision import MOST_ROWS, BedRule, ResidualBed, residual_bed
from navigation.resection.residual import groups_of
from navigation.statistics.counting import Rate
from navigation.statistics.limits import Verdict
from tests.navigation.bench import BACKGROUND_CPS, SKIN, calibrated, counted, plain_rate_cps

Array = NDArray[np.float64]

BEFORE_MBQ = 0.1
PLACE_MM = np.array([0.0, 0.0, -25.0])
BACKGROUND = Rate(rate_cps=BACKGROUND_CPS, sigma_cps=0.2)


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def removed(sigma_mm: float = 3.0) -> TargetEstimate:
    covariance = np.eye(3) * sigma_mm**2
    semi_axes, axes = region_of(covariance)
    return TargetEstimate(
        name="node",
        kind="target",
        presence=0.99,
        centre_mm=PLACE_MM,
        covariance_mm2=covariance,
        log_activity_mean=float(np.log(BEFORE_MBQ)),
        log_activity_sigma=0.2,
        is_localisable=True,
        reason="",
        region_semi_axes_mm=semi_axes,
        region_axes=axes,
        mapped_mm=None,
    )


def held(
    seconds: float,
    left_mbq: float,
    rng: np.random.Generator,
    *,
    aside_mm: float = 0.0,
    place_mm: Array = PLACE_MM,
) -> Observations:
    """Hold the probe on the skin over where the target was believed; so much activity is left at ``place_mm``."""
    size = round(seconds * 10)
    tip = np.tile([aside_mm, 0.0, 1.0], (size, 1)) + 0.2 * rng.standard_normal((size, 3)) * [1, 1, 0]
    axis = np.tile([0.0, 0.0, -1.0], (size, 1))
    place = np.tile(place_mm, (size, 1))
    path = np.linalg.norm(place - tip, axis=1) * place_mm[2] / (place_mm[2] - 1)
    rate = BACKGROUND_CPS + left_mbq * plain_rate_cps(place, tip, axis, path)
    return Observations(
        counts=counted(rate, 0.1, rng),
        live_time_s=np.full(size, 0.1),
        tip_mm=tip,
        axis=axis,
        taken_at_s=np.linspace(0.0, seconds, size),
    )


def bed(observations: Observations, response: Response, **changes: Any) -> ResidualBed:
    stated: dict[str, Any] = {
        "target": removed(),
        "response": response,
        "tissue": SKIN,
        "background": BACKGROUND,
        "others_cps": np.zeros(len(observations)),
        "others_error": 0.0,
        "half_life_s": 21_624.0,
        "elapsed_s": 0.0,
    }
    return residual_bed(observations, **(stated | changes))


def test_an_empty_bed_is_gone(response: Response) -> None:
    """Ten seconds over a bed without activity leave less than a tenth of 0.1 MBq possible."""
    found = bed(held(10, 0.0, np.random.default_rng(1)), response)
    assert found.verdict is Verdict.BELOW
    assert found.share.upper < 0.1
    assert found.needed_s == 0
    assert found.reason == ""
    assert found.is_consistent
    assert found.is_within_calibration


def test_a_target_that_was_missed_is_still_there(response: Response) -> None:
    """With all of the activity left, its value lies between the limits and the verdict stands."""
    found = bed(held(10, BEFORE_MBQ, np.random.default_rng(2)), response)
    assert found.verdict is Verdict.ABOVE
    assert found.activity_mbq.lower < BEFORE_MBQ < found.activity_mbq.upper
    assert found.share.lower < 1 < found.share.upper


def test_too_short_a_count_asks_for_more_and_is_decided_by_it(response: Response) -> None:
    """After 0.3 s nothing can be told; held on for as long as was asked, an empty bed is gone in most cases."""
    rule = BedRule(share=0.05)
    verdicts = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        short = held(0.3, 0.0, rng)
        found = bed(short, response, rule=rule)
        if found.verdict is not Verdict.UNDECIDED or found.needed_s is None:
            continue
        assert found.needed_s > 0
        assert found.reason
        longer = short + held(found.needed_s, 0.0, rng)
        verdicts.append(bed(longer, response, rule=rule).verdict)
    assert len(verdicts) >= 4
    assert verdicts.count(Verdict.BELOW) >= len(verdicts) / 2


def test_a_bed_that_was_not_looked_at_is_not_free(response: Response) -> None:
    """A minute beside the bed, 80 mm away, proves nothing, and holding on there is not proposed."""
    found = bed(held(60, 0.0, np.random.default_rng(3), aside_mm=80.0), response)
    assert found.verdict is Verdict.UNDECIDED
    assert found.share.upper > 0.3


@pytest.mark.parametrize(("left", "wrong"), [(0.5, Verdict.ABOVE), (2.0, Verdict.BELOW)])
def test_a_verdict_is_rarely_wrong(left: float, wrong: Verdict, response: Response) -> None:
    """Of 25 beds with half, or twice, the rule's share, the place 3 mm in doubt, at most 3 are called wrong."""
    rng = np.random.default_rng(4)
    verdicts = []
    for _ in range(25):
        place_mm = PLACE_MM + 3 * rng.standard_normal(3)
        observations = held(3, left * 0.1 * BEFORE_MBQ, rng, place_mm=place_mm)
        verdicts.append(bed(observations, response, rule=BedRule(longest_s=0.5)).verdict)
    assert verdicts.count(wrong) <= 3


def test_what_other_sources_give_is_no_residual(response: Response) -> None:
    """60 cps of shine-through that the map explains leave an empty bed empty; that it may be 30 % off widens."""
    rng = np.random.default_rng(5)
    empty = held(10, 0.0, rng)
    shone = replace(empty, counts=empty.counts + rng.poisson(6.0, len(empty)))
    others_cps = np.full(len(shone), 60.0)
    sure, unsure = (bed(shone, response, others_cps=others_cps, others_error=error) for error in (0.02, 0.3))
    blamed = bed(shone, response)
    assert blamed.verdict is Verdict.ABOVE
    assert sure.verdict is Verdict.BELOW
    assert sure.activity_mbq.upper < unsure.activity_mbq.upper


def test_decay_lowers_what_was_there(response: Response) -> None:
    """The same counts a half-life later are twice the share of what would be left by then."""
    observations = held(5, 0.02, np.random.default_rng(6))
    now, later = (bed(observations, response, elapsed_s=each) for each in (0.0, 21_624.0))
    assert now.share.best is not None
    assert later.share.best == pytest.approx(2 * now.share.best, rel=0.05)
    assert later.activity_mbq.best == pytest.approx(now.activity_mbq.best, rel=0.05)


def test_counts_that_no_residual_explains_leave_it_open(response: Response) -> None:
    """A burst while the probe looks elsewhere than before is not called a free bed, nor a target."""
    rng = np.random.default_rng(7)
    over, beside = held(5, 0.0, rng), held(5, 0.0, rng, aside_mm=60.0)
    burst = replace(beside, counts=beside.counts + rng.poisson(20.0, len(beside)))
    found = bed(over + burst, response)
    assert not found.is_consistent
    assert found.misfit > 4
    assert found.verdict is Verdict.UNDECIDED
    assert found.needed_s is None


def test_a_bed_seen_only_beyond_the_calibration_is_not_judged(response: Response) -> None:
    """A probe that was calibrated to 20 mm calls a bed 26 mm away neither free nor hot, and says what to do."""
    near = replace(response, greatest_distance_mm=20.0)
    for left_mbq in (0.0, BEFORE_MBQ):
        found = bed(held(10, left_mbq, np.random.default_rng(11)), near)
        assert not found.is_within_calibration
        assert found.verdict is Verdict.UNDECIDED
        assert found.needed_s is None
        assert "hold it nearer" in found.reason


def test_many_readings_take_no_longer_and_say_the_same(response: Response) -> None:
    """Five minutes of a hand that is never still are added up by pose: limits as from each reading, few rows."""
    seen = held(300, 0.2 * BEFORE_MBQ, np.random.default_rng(12))
    group = groups_of(seen.tip_mm, seen.axis, MOST_ROWS)
    assert group.max() < MOST_ROWS
    assert group[-1] == group.max()
    assert len(np.unique(group)) == group.max() + 1
    many, few = bed(seen, response), bed(seen.take(np.arange(MOST_ROWS)), response)
    assert many.activity_mbq.lower < 0.2 * BEFORE_MBQ < many.activity_mbq.upper
    assert many.activity_mbq.upper - many.activity_mbq.lower < few.activity_mbq.upper - few.activity_mbq.lower


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.integers(0, 60), more=st.integers(1, 60))
def test_more_counts_raise_both_limits(counts: int, more: int, response: Response) -> None:
    """Whatever was counted, a higher count never allows less activity, nor proves less."""
    still = held(1, 0.0, np.random.default_rng(8)).take(np.array([0]))
    few, many = (
        bed(replace(still, counts=np.array([float(each)])), response, rule=BedRule(longest_s=0.5)).activity_mbq
        for each in (counts, counts + more)
    )
    assert few.upper <= many.upper * 1.005
    assert few.lower <= many.lower * 1.005 + 1e-5


def test_more_doubt_about_the_place_raises_the_limit(response: Response) -> None:
    """The upper limit grows with the target's covariance."""
    observations = held(3, 0.0, np.random.default_rng(9))
    uppers = [
        bed(observations, response, target=removed(sigma_mm)).activity_mbq.upper for sigma_mm in (0.1, 3.0, 8.0)
    ]
    assert uppers == sorted(uppers)


def test_a_background_that_was_not_seen_is_no_error(response: Response) -> None:
    """A background of no counts, and one that is known to be none, are both allowed."""
    observations = replace(held(2, 0.0, np.random.default_rng(10)), counts=np.zeros(20))
    for background in (Rate(rate_cps=0.0, sigma_cps=0.1), Rate(rate_cps=0.0, sigma_cps=0.0)):
        found = bed(observations, response, background=background)
        assert found.activity_mbq.best == 0
        assert found.activity_mbq.upper > 0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"others_cps": np.zeros(3)}, "shape"),
        ({"others_cps": np.full(10, -1.0)}, "negative"),
        ({"others_cps": np.full(10, np.nan)}, "not finite"),
        ({"others_error": 2.0}, "wants 0 to 1"),
        ({"background": Rate(rate_cps=-1.0, sigma_cps=0.1)}, "wants zero or more"),
        ({"background": Rate(rate_cps=1.0, sigma_cps=float("nan"))}, "wants zero or more"),
        ({"half_life_s": 0.0}, "half-life"),
        ({"elapsed_s": float("inf")}, "half-life"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], match: str, response: Response) -> None:
    """What is negative, not finite or of another shape is refused in words."""
    with pytest.raises(NavigationError, match=match):
        bed(held(1, 0.0, np.random.default_rng(1)), response, **changes)


@pytest.mark.parametrize(
    ("spoilt", "match"),
    [
        (lambda each: replace(each, centre_mm=np.full(3, np.nan)), "no place"),
        (lambda each: replace(each, centre_mm=np.zeros(2)), "wants"),
        (lambda each: replace(each, covariance_mm2=-np.eye(3)), "not symmetric and positive"),
        (lambda each: replace(each, log_activity_sigma=float("inf")), "not known"),
    ],
)
def test_a_target_that_is_none_is_refused(
    spoilt: Callable[[TargetEstimate], TargetEstimate], match: str, response: Response
) -> None:
    """Without a finite place, a covariance and an activity before there is nothing to compare with."""
    with pytest.raises(NavigationError, match=match):
        bed(held(1, 0.0, np.random.default_rng(1)), response, target=spoilt(removed()))


def test_no_reading_is_refused(response: Response) -> None:
    """Without a count nothing is said, and certainly not "gone"."""
    with pytest.raises(NavigationError, match="count over the bed first"):
        bed(Observations.empty(), response)


@pytest.mark.parametrize("changes", [{"share": 0.0}, {"share": 1.0}, {"confidence": 0.3}, {"longest_s": 0.0}])
def test_a_rule_that_is_none_is_refused(changes: dict[str, float]) -> None:
    """A share, a confidence or a time that makes no rule is refused."""
    with pytest.raises(NavigationError, match="wants"):
        BedRule(**changes)
