from dataclasses import replace

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.estimation import tally as tally_rows
from navigation.image import freehand
from navigation.image.freehand import Freehand, FreehandImage
from navigation.observations import Observations
from tests.navigation.bench import BACKGROUND_CPS, SKIN, calibrated, sweep

RESPONSE = replace(calibrated(np.random.default_rng(11))[0], background_cps=BACKGROUND_CPS)
NODE = np.array([[6.0, -4.0, -18.0]])


def _scan(seconds: float = 60.0, *, seed: int = 1, activity_mbq: float = 1.0) -> Observations:
    return sweep(NODE, np.array([activity_mbq]), np.random.default_rng(seed), seconds=seconds)


def _image(
    observations: Observations, *, iterations: int = 60, roughness: float = freehand.ROUGHNESS
) -> FreehandImage:
    image = Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3", roughness=roughness).update(
        observations, iterations=iterations
    )
    assert image is not None
    return image


def _hottest_mm(image: FreehandImage) -> np.ndarray:
    place = np.unravel_index(np.nanargmax(image.activity.values), image.activity.values.shape)
    return image.activity.geometry.positions_mm(np.array(place))


def _total_mbq(image: FreehandImage) -> float:
    return float(np.nansum(image.activity.values)) * image.activity.geometry.voxel_volume_ml / 1e6


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_node_shows_where_it_is_with_its_activity(seed: int) -> None:
    """1 MBq at 18 mm, a minute: the hottest voxel is at most two voxels off, the activity within 15 %."""
    image = _image(_scan(seed=seed))
    assert np.linalg.norm(_hottest_mm(image) - NODE[0]) < 8.0
    assert _total_mbq(image) == pytest.approx(1.0, rel=0.15)
    assert image.activity.unit == "Bq/mL"
    assert image.activity.geometry.frame_of_reference_uid == "1.2.3"


def test_nothing_is_drawn_before_the_probe_has_looked_at_tissue() -> None:
    """No reading, or readings that look away from the patient, give no image at all."""
    scanner = Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3")
    assert scanner.update(Observations.empty()) is None
    seen = _scan(2.0)
    away = Observations(
        counts=seen.counts,
        live_time_s=seen.live_time_s,
        tip_mm=seen.tip_mm,
        axis=-seen.axis,
        taken_at_s=seen.taken_at_s,
    )
    assert scanner.update(away) is None


def test_what_could_hide_a_node_is_unknown_and_not_dark() -> None:
    """After a second almost all is NaN, a minute makes more known: just where little activity could hide."""
    short, long = _image(_scan(60.0).take(np.arange(10))), _image(_scan(60.0))
    assert short.coverage < 0.2 < long.coverage
    assert long.known_ml > short.known_ml
    is_known = ~np.isnan(long.activity.values)
    assert (long.detectable.values[is_known] <= freehand.HIDDEN_MBQ * 1.000001).all()
    looked_at = ~np.isnan(long.detectable.values)
    assert (long.detectable.values[looked_at & ~is_known] > freehand.HIDDEN_MBQ * 0.999999).all()
    assert long.coverage == pytest.approx(is_known.sum() / looked_at.sum())


def test_beside_an_injection_site_less_is_known() -> None:
    """100 MBq under the scan drown what 0.1 MBq there would add: the known volume shrinks."""
    quiet = _image(_scan())
    loud = _image(sweep(NODE, np.array([100.0]), np.random.default_rng(1), seconds=60.0))
    assert loud.known_ml < 0.7 * quiet.known_ml


def test_a_known_source_is_left_out_of_the_image() -> None:
    """Told of a node of 1 MBq, what is left for the image is a tenth of it or less."""
    image = Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3").update(
        _scan(), known_mm=NODE, known_mbq=np.array([1.0]), iterations=60
    )
    assert image is not None
    assert _total_mbq(image) < 0.1


@pytest.mark.parametrize("is_known", [False, True], ids=["in the image", "left out"])
def test_what_has_decayed_meanwhile_is_shown_and_left_out_as_it_is_now(is_known: bool) -> None:  # noqa: FBT001
    """A half-life between two half minutes: half of it is shown, and a known source casts no ghost of before."""
    half_life_s = 6586.0
    late = _scan(30.0, seed=2, activity_mbq=0.5)
    late = replace(late, taken_at_s=late.taken_at_s + half_life_s)
    scanner = Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3", half_life_s=half_life_s)
    known_mm = NODE if is_known else NODE[:0]
    scanner.update(_scan(30.0), known_mm=known_mm, known_mbq=np.full(len(known_mm), 1.0))
    image = scanner.update(late, known_mm=known_mm, known_mbq=np.full(len(known_mm), 0.5), iterations=60)
    assert image is not None
    assert _total_mbq(image) == pytest.approx(0.0 if is_known else 0.5, abs=0.07)


def test_the_order_of_readings_does_not_matter() -> None:
    """The same readings shuffled give the same image, and the same readings twice the very same one."""
    seen = _scan(40.0)
    order = np.random.default_rng(5).permutation(len(seen))
    plain, shuffled = _image(seen, iterations=20), _image(seen.take(order), iterations=20)
    assert np.allclose(plain.activity.values, shuffled.activity.values, rtol=1e-2, atol=10.0, equal_nan=True)
    assert np.array_equal(plain.activity.values, _image(seen, iterations=20).activity.values, equal_nan=True)


def test_an_image_renewed_each_second_reaches_the_one_made_at_once() -> None:
    """Sixty warm starts of eight iterations explain the counts as well as one run of as many."""
    seen = _scan(60.0)
    scanner = Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3")
    for start in range(0, 600, 10):
        image = scanner.update(seen.take(np.arange(start, start + 10)))
    assert image is not None
    assert image.readings == 600
    assert np.linalg.norm(_hottest_mm(image) - NODE[0]) < 8.0
    assert _total_mbq(image) == pytest.approx(1.0, rel=0.15)


def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe carried half a metre across the patient keeps the voxels near it and forgets the rest."""
    monkeypatch.setattr(freehand, "MOST_VOXELS", 8000)
    scanner = Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3")
    seen = _scan(40.0)
    for start in range(0, 300, 10):
        part = seen.take(np.arange(start, start + 10))
        moved = Observations(
            counts=part.counts,
            live_time_s=part.live_time_s,
            tip_mm=part.tip_mm + np.array([100.0 * (start // 50), 0.0, 0.0]),
            axis=part.axis,
            taken_at_s=part.taken_at_s,
        )
        image = scanner.update(moved)
        assert image is not None
        assert (~np.isnan(image.sensitivity.values)).sum() <= 8000
    assert image is not None
    centre = image.sensitivity.geometry.positions_mm(np.argwhere(~np.isnan(image.sensitivity.values)))[:, 0]
    assert centre.min() > 200.0


def test_merging_and_forgetting_keep_the_matrix_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 700 readings in small batches each rate in the matrix is the table's at its row and voxel."""
    monkeypatch.setattr(freehand, "MOST_VOXELS", 9000)
    scanner = Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3")
    seen = _scan(70.0)
    for start in range(0, 700, 25):
        image = scanner.update(seen.take(np.arange(start, start + 25)), iterations=1)
    assert image is not None
    tally, points = scanner._tally, scanner._voxels.points_mm
    held = scanner._matrix[: len(tally), : len(points)]
    exact = scanner._table.rates_cps(points, tally.tip_mm, tally.axis, tally.skin)
    newest = slice(len(tally) - tally_rows.RECENT_ROWS, None)
    assert np.allclose(held[newest], exact[newest], rtol=1e-3)
    # a merged row is the mean of rates, not the rate at the mean pose: next to the tip they differ
    off = np.abs(held.sum(axis=0) / exact.sum(axis=0) - 1)
    assert np.quantile(off, 0.99) < 0.03


def test_nothing_is_drawn_beyond_the_calibration() -> None:
    """A probe calibrated to 40 mm and 20 degrees shows no tissue that it saw from farther or more aside only."""
    near = replace(RESPONSE, greatest_distance_mm=40.0, greatest_angle_deg=20.0)
    seen = _scan(20.0)
    image = Freehand(near, SKIN, frame_of_reference_uid="1.2.3").update(seen)
    assert image is not None
    volume = image.sensitivity
    centre = volume.geometry.positions_mm(np.argwhere(~np.isnan(volume.values)))
    offset = centre[None] - seen.tip_mm[:, None]
    distance = np.linalg.norm(offset, axis=-1)
    angle = np.degrees(np.arccos(np.einsum("nmk,nk->nm", offset, seen.axis) / distance))
    # poses are rounded to 6 mm and 0.15 before a voxel is taken in
    assert ((distance < 46.0) & (angle < 40.0)).any(axis=0).all()
    assert centre[:, 2].min() > -46.0


@pytest.mark.parametrize("wrong", [{"spacing_mm": 0.0}, {"hidden_mbq": -1.0}, {"roughness": -0.1}])
def test_a_setting_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """A spacing of nothing, a negative hidden activity or roughness raise a sentence."""
    with pytest.raises(NavigationError, match="freehand: wants"):
        Freehand(RESPONSE, SKIN, frame_of_reference_uid="1.2.3", **wrong)
