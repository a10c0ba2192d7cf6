"""Counts over a bed: looked at more and more rarely, decided only where the counts can."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from acquisition.resection import bed as beds
from acquisition.resection.bed import FIRST_LOOK_S, LONGEST_S, BedCount, Decision, Look, Removed, shining_beside
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.transforms import RigidTransform
from tests.acquisition.image.test_imaging import believed, source
from tests.acquisition.resection.test_shift import registered
from tests.navigation.bench import BACKGROUND_CPS, SKIN, calibrated, plain_rate_cps
from tests.navigation.resection.test_excision import BEFORE_MBQ, PLACE_MM, held
from tests.navigation.resection.test_excision import removed as target

HALF_LIFE_S = 21_654.0


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def marked(**changes: object) -> Removed:
    taken = Removed(
        number=1,
        target=target(),
        others=(),
        background_cps=BACKGROUND_CPS,
        tissue=SKIN,
        marked_at_s=0.0,
        believed_at_s=0.0,
    )
    return replace(taken, **changes)  # type: ignore[arg-type]


def count(
    seen: Observations, response: Response, removed: Removed, *, registration: RigidTransform | None = None
) -> BedCount:
    """Count reading by reading, looking whenever it is time to, until it is over."""
    counting = BedCount(removed, began_s=0.0)
    for row in range(len(seen)):
        counting.take(seen.take(np.arange(row, row + 1)))
        if counting.is_due:
            counting.note(counting.examine(response, half_life_s=HALF_LIFE_S, patient_from_reference=registration))
        if counting.is_over:
            break
    return counting


def decided(counting: BedCount) -> Decision:
    assert counting.look is not None
    return counting.look.decision


def test_an_empty_bed_is_removed_and_a_full_one_still_there(response: Response) -> None:
    """Within a minute over the place of 0.1 MBq, and never the other way round."""
    for seed in range(3):
        empty = count(held(60, 0.0, np.random.default_rng(seed)), response, marked())
        assert decided(empty) is Decision.REMOVED
        full = count(held(60, BEFORE_MBQ, np.random.default_rng(seed)), response, marked())
        assert decided(full) is Decision.STILL_THERE
        assert full.live_time_s == pytest.approx(FIRST_LOOK_S), "a bright bed needs one look"


@pytest.mark.parametrize(("moved_mm", "left"), [(15.0, 0.2), (20.0, 0.5)])
def test_a_bed_that_lies_elsewhere_by_another_registration_is_not_called_empty(
    moved_mm: float, left: float, response: Response
) -> None:
    """With the probe over the former place too little comes in: all of it would say that nothing is left."""
    place_mm = PLACE_MM + np.array([moved_mm, 0.0, 0.0])
    seen = held(6, left * BEFORE_MBQ, np.random.default_rng(21), place_mm=place_mm)
    removed = marked(patient_from_reference=registered(0.0))
    counting = count(seen, response, removed, registration=registered(moved_mm))
    assert decided(counting) is Decision.COUNT_ON
    assert counting.look is not None
    assert f"its bed lies {moved_mm:.0f} mm elsewhere" in counting.look.reason


def test_a_bed_that_lies_little_elsewhere_may_hold_more(response: Response) -> None:
    """The doubt about its place is one about what is left there; an empty bed is removed all the same."""
    empty = held(20, 0.0, np.random.default_rng(22))
    most = []
    for moved_mm in (0.0, 3.0, 7.0):
        counting = BedCount(marked(patient_from_reference=registered(0.0)), began_s=0.0)
        counting.take(empty)
        look = counting.examine(response, half_life_s=HALF_LIFE_S, patient_from_reference=registered(moved_mm))
        assert look.decision is Decision.REMOVED
        assert look.bed is not None
        most.append(look.bed.share.upper)
    assert most[0] < most[1] < most[2]


def test_looks_become_rarer_and_end() -> None:
    """Each comes at 1.5 times the time of the one before; after two minutes nobody looks any more."""
    counting = BedCount(marked(), began_s=0.0)
    looked_s = []
    aside = held(150, 0.0, np.random.default_rng(1), aside_mm=400.0)
    for row in range(len(aside)):
        counting.take(aside.take(np.arange(row, row + 1)))
        if counting.is_due:
            looked_s.append(counting.live_time_s)
            counting.note(
                Look(counts=counting.counts, live_time_s=counting.live_time_s, bed=None, reason="far away")
            )
        if counting.is_over:
            break
    assert looked_s[0] == pytest.approx(FIRST_LOOK_S, abs=0.11)
    assert all(later / earlier == pytest.approx(1.5, rel=0.06) for earlier, later in pairwise(looked_s[:-1]))
    assert looked_s[-1] == pytest.approx(LONGEST_S, abs=0.11)
    assert decided(counting) is Decision.COUNT_ON


@pytest.mark.parametrize(
    ("moved_mm", "believed", "words"),
    [
        (1.5, Decision.REMOVED, "more counts at this pose would not decide it"),
        (6.0, Decision.STILL_THERE, "what shines beside its bed shines otherwise"),
    ],
)
def test_what_shines_beside_a_bed_may_lie_elsewhere_as_well(
    moved_mm: float, believed: Decision, words: str, response: Response
) -> None:
    """A site that is nearer by the new registration shines more, by 6 mm five times as much: nothing may be left.

    As long as that is less than all it was believed to give, it is a doubt; beyond, the bed is not counted.
    """
    site = source("injection", "injection", np.array([25.0, 0.0, -15.0]), 3.0)
    seen, place_mm = held(30, 0.0, np.random.default_rng(14)), site.centre_mm - np.array([moved_mm, 0.0, 0.0])
    path_mm = np.linalg.norm(place_mm - seen.tip_mm, axis=1) * 15 / 16
    shine_cps = 3.0 * plain_rate_cps(np.tile(place_mm, (len(seen), 1)), seen.tip_mm, seen.axis, path_mm)
    lit = replace(seen, counts=seen.counts + np.random.default_rng(15).poisson(shine_cps * seen.live_time_s))
    looks = []
    for registration in (registered(0.0), registered(-moved_mm)):
        counting = BedCount(marked(others=(site,), patient_from_reference=registered(0.0)), began_s=0.0)
        counting.take(lit)
        looks.append(counting.examine(response, half_life_s=HALF_LIFE_S, patient_from_reference=registration))
    assert [look.decision for look in looks] == [believed, Decision.COUNT_ON]
    assert words in looks[1].reason


def test_light_that_has_decayed_may_lie_anywhere(response: Response) -> None:
    """Ten half-lives later a site that moved by 6 mm changes less than the background may be wrong by."""
    site = source("injection", "injection", np.array([25.0, 0.0, -15.0]), 3.0)
    removed = marked(others=(site,), patient_from_reference=registered(0.0), believed_at_s=-10 * HALF_LIFE_S)
    counting = BedCount(removed, began_s=0.0)
    counting.take(held(20, 0.0, np.random.default_rng(22)))
    look = counting.examine(response, half_life_s=HALF_LIFE_S, patient_from_reference=registered(-6.0))
    assert look.bed is not None
    assert "shines otherwise" not in look.reason


def test_a_source_that_gives_no_light_changes_no_bed(response: Response) -> None:
    """Wherever it lies by the new registration."""
    site = source("injection", "injection", np.array([25.0, 0.0, -15.0]), 3.0)
    dark = replace(site, log_activity_mean=-800.0)
    counting = BedCount(marked(others=(dark,), patient_from_reference=registered(0.0)), began_s=0.0)
    counting.take(held(20, 0.0, np.random.default_rng(22)))
    look = counting.examine(response, half_life_s=HALF_LIFE_S, patient_from_reference=registered(3.0))
    assert look.decision is Decision.REMOVED


def test_a_probe_that_never_looked_at_the_bed_decides_nothing(response: Response) -> None:
    """Held 400 mm aside it counts no more than background, and that is no proof: it says to hold it nearer."""
    counting = count(held(10, 0.0, np.random.default_rng(2), aside_mm=400.0), response, marked())
    assert decided(counting) is Decision.COUNT_ON
    assert counting.look is not None
    assert "hold it nearer" in counting.look.reason


def test_another_source_beside_the_bed_is_no_residual(response: Response) -> None:
    """An injection site of 200 MBq 40 mm away is allowed for; forgotten, its light would be a residual."""
    site = source("injection", "injection", np.array([40.0, 0.0, -15.0]), 200.0)
    empty = held(60, 0.0, np.random.default_rng(4))
    path = np.linalg.norm(site.centre_mm - empty.tip_mm, axis=1) * 15 / 16
    shine_cps = 200.0 * plain_rate_cps(np.tile(site.centre_mm, (len(empty), 1)), empty.tip_mm, empty.axis, path)
    lit = replace(empty, counts=empty.counts + np.random.default_rng(5).poisson(shine_cps * empty.live_time_s))
    assert decided(count(lit, response, marked(others=(site,)))) is not Decision.STILL_THERE
    assert decided(count(lit, response, marked())) is Decision.STILL_THERE


def test_what_shines_beside_the_bed_has_decayed_since_it_was_believed(response: Response) -> None:
    """An hour of Ga-68 leaves 54 % of the site: taken for whole, its light would hide what is left of the node."""
    half_life_s, hour = 67.71 * 60, marked(believed_at_s=-3600.0)
    left = 2 ** (-3600 / half_life_s)
    site = source("injection", "injection", np.array([25.0, 0.0, -15.0]), 5.0)
    seen = held(20, 0.5 * BEFORE_MBQ * left, np.random.default_rng(8))
    path_mm = np.linalg.norm(site.centre_mm - seen.tip_mm, axis=1) * 15 / 16
    places_mm = np.tile(site.centre_mm, (len(seen), 1))
    shine_cps = 5.0 * left * plain_rate_cps(places_mm, seen.tip_mm, seen.axis, path_mm)
    lit = replace(seen, counts=seen.counts + np.random.default_rng(9).poisson(shine_cps * seen.live_time_s))
    counting = BedCount(replace(hour, others=(site,)), began_s=0.0)
    counting.take(lit)
    look = counting.examine(response, half_life_s=half_life_s)
    assert look.bed is not None
    assert look.bed.share.best == pytest.approx(0.5, abs=0.1)


def test_a_target_that_was_taken_out_too_lights_no_bed(response: Response) -> None:
    """Marked after this one, which believed in it: its light is gone, and hides nothing that is left here."""
    beside = source("node 2", "target", PLACE_MM + np.array([12.0, 0.0, 0.0]), 0.2)
    counting = BedCount(marked(others=(beside,)), began_s=0.0)
    counting.take(held(10, 0.4 * BEFORE_MBQ, np.random.default_rng(10)))
    both = counting.examine(response, half_life_s=HALF_LIFE_S, taken_out=[target(), beside])
    assert both.decision is Decision.STILL_THERE
    one = counting.examine(response, half_life_s=HALF_LIFE_S, taken_out=[target()])
    assert one.bed is not None
    assert one.bed.share.best == pytest.approx(0.0, abs=0.1), "as long as it is there, the light may be its own"


def test_another_source_of_the_same_name_lights_the_bed_still(response: Response) -> None:
    """On no map, and 40 mm away from the one that was taken out: another one had taken up the name."""
    beside = source("unmapped 1", "target", PLACE_MM + np.array([12.0, 0.0, 0.0]), 0.2)
    counting = BedCount(marked(others=(beside,)), began_s=0.0)
    counting.take(held(10, 0.4 * BEFORE_MBQ, np.random.default_rng(10)))
    for away_mm, share in ((2.0, 0.4), (40.0, 0.0)):
        gone = replace(beside, centre_mm=beside.centre_mm + np.array([0.0, away_mm, 0.0]))
        look = counting.examine(response, half_life_s=HALF_LIFE_S, taken_out=[target(), gone])
        assert look.bed is not None
        assert look.bed.share.best == pytest.approx(share, abs=0.1)


def test_the_others_are_those_that_are_believed() -> None:
    """Not the target itself, and none that is likelier not there."""
    node, site = source("node", "target", PLACE_MM, 0.1), source("site", "injection", PLACE_MM + 40, 20.0)
    doubtful = replace(source("other", "target", PLACE_MM + 20, 0.1), presence=0.3)
    assert shining_beside(node, believed(node, site, doubtful)) == (site,)


def test_counts_from_before_the_beginning_are_of_no_bed() -> None:
    """What was counted before the key was pressed was counted elsewhere."""
    seen = held(2, 0.0, np.random.default_rng(6))
    counting = BedCount(marked(), began_s=1.0)
    counting.take(seen)
    assert counting.live_time_s == pytest.approx(0.1 * (seen.taken_at_s >= 1.0).sum())
    assert counting.counts == seen.counts[seen.taken_at_s >= 1.0].sum()


def test_what_cannot_be_judged_says_why(response: Response) -> None:
    """An activity before the cut that is not known: a sentence, and no decision."""
    unknown = marked(target=replace(target(), log_activity_mean=np.nan))
    counting = count(held(2.1, 0.0, np.random.default_rng(7)), response, unknown)
    assert decided(counting) is Decision.COUNT_ON
    assert counting.look is not None
    assert counting.look.bed is None
    assert "is not known" in counting.look.reason


def test_looking_again_and_again_is_not_wrong_more_often_than_one_in_ten(response: Response) -> None:
    """Beds with exactly a tenth left, counted for 15 s or until decided: few are called either way."""
    wrong = {Decision.REMOVED: 0, Decision.STILL_THERE: 0}
    beds_counted = 12
    for seed in range(beds_counted):
        rng = np.random.default_rng(100 + seed)
        before_mbq = BEFORE_MBQ * np.exp(0.2 * rng.standard_normal())
        place_mm = PLACE_MM + 3.0 * rng.standard_normal(3)
        seen = held(15, beds.RULE.share * before_mbq, rng, place_mm=place_mm)
        decision = decided(count(seen, response, marked()))
        if decision in wrong:
            wrong[decision] += 1
    # were it one in ten, four of twelve of one kind would come once in forty runs
    assert max(wrong.values()) < 4, wrong
