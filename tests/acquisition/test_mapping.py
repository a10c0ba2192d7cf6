"""A study's map as the estimator starts from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.mapping import begin_estimate
from config.nuclides import load_nuclides
from navigation.errors import NavigationError
from navigation.observations import Observations
from navigation.prior import NODE_ACTIVITY_MBQ
from tests.acquisition.received import hotspot, received, study, study_map, without_skin
from tests.acquisition.test_localising import response

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
TC99M = load_nuclides()["Tc-99m"]
HALF_LIFE = timedelta(hours=6.015)


def archived(
    *, taken_at: datetime | None = NOW, half_life_s: float | None = None, activity_mbq: float | None = 1.0
) -> ArchivedStudy:
    scanned = replace(study(), taken_at=taken_at, half_life_s=half_life_s)
    return ArchivedStudy(received=received(), map=study_map(scanned, activity_mbq=activity_mbq))


def believed_mbq(found: ArchivedStudy) -> float:
    """Activity of its target before the first count."""
    (target,) = begin_estimate(found, response(), TC99M, now=NOW).add(Observations.empty()).targets
    return target.activity_mbq


def test_a_scan_of_six_hours_ago_has_half_of_its_activity() -> None:
    """Tc-99m, half-life 6.015 h: what the map says is brought to the theatre's time."""
    assert believed_mbq(archived(taken_at=NOW)) == pytest.approx(1.0)
    assert believed_mbq(archived(taken_at=NOW - HALF_LIFE)) == pytest.approx(0.5, rel=1e-4)
    assert believed_mbq(archived(taken_at=NOW - 2 * HALF_LIFE)) == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(archived(activity_mbq=None), id="relative counts"),
        pytest.param(archived(taken_at=None), id="no time of the scan"),
        pytest.param(archived(taken_at=NOW + HALF_LIFE), id="a scan in the future"),
        pytest.param(archived(taken_at=NOW - 30 * HALF_LIFE), id="a scan of last week"),
        pytest.param(archived(half_life_s=6586.2), id="a scan of F-18"),
    ],
)
def test_an_activity_that_is_not_known_stays_unknown(found: ArchivedStudy) -> None:
    """Nothing can be said of how much is there: what is known of nodes in general, never the file's number."""
    assert believed_mbq(found) == pytest.approx(NODE_ACTIVITY_MBQ)


def test_without_a_skin_there_is_no_estimate() -> None:
    """Nobody knows the depth of tissue then, and a guess would look like a measurement."""
    found = archived()
    with pytest.raises(NavigationError, match="no CT"):
        begin_estimate(replace(found, map=without_skin(found.map)), response(), TC99M, now=NOW)


def test_the_map_is_what_is_believed_first() -> None:
    """Before a count the target is where the study shows it, and not yet localisable."""
    (target,) = begin_estimate(archived(), response(), TC99M, now=NOW).add(Observations.empty()).targets
    assert np.allclose(target.centre_mm, hotspot().centre_mm)
    assert target.mapped_mm is not None
    assert np.allclose(target.mapped_mm, hotspot().centre_mm)
    assert not target.is_localisable
