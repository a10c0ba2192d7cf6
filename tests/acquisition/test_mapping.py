"""A study's map as the estimator starts from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.mapping import _decay, begin_estimate
from config.nuclides import load_nuclides
from navigation.observations import Observations
from tests.acquisition.received import hotspot, received, study, study_map, without_skin
from tests.acquisition.test_localising import response

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
TC99M = load_nuclides()["Tc-99m"]


def archived(*, taken_at: datetime | None, has_skin: bool = True) -> ArchivedStudy:
    found = study_map(replace(study(), taken_at=taken_at), activity_mbq=1.0)
    return ArchivedStudy(received=received(), map=found if has_skin else without_skin(found))


def test_a_scan_of_six_hours_ago_has_half_of_its_activity() -> None:
    """Tc-99m, half-life 6.015 h: what the map says is brought to the theatre's time, and forth if clocks differ."""
    assert _decay(hotspot(1.0), TC99M, 6.015 * 3600).activity_mbq == pytest.approx(0.5, rel=1e-4)
    assert _decay(hotspot(1.0), TC99M, -6.015 * 3600).activity_mbq == pytest.approx(2.0, rel=1e-4)


@pytest.mark.parametrize(("activity_mbq", "elapsed_s"), [(None, 3600.0), (1.0, None)])
def test_an_activity_that_is_not_known_stays_unknown(activity_mbq: float | None, elapsed_s: float | None) -> None:
    """Relative counts, or a scan that does not say when it was: None, never a number."""
    assert _decay(hotspot(activity_mbq), TC99M, elapsed_s).activity_mbq is None


def test_without_a_skin_there_is_no_estimate() -> None:
    """Nobody knows the depth of tissue then, and a guess would look like a measurement."""
    assert begin_estimate(archived(taken_at=NOW, has_skin=False), response(), TC99M, now=NOW) is None


def test_the_map_is_what_is_believed_first() -> None:
    """Before a count the target is where the study shows it, with its decayed activity, and not yet localisable."""
    begun = begin_estimate(archived(taken_at=NOW - timedelta(seconds=6.015 * 3600)), response(), TC99M, now=NOW)
    assert begun is not None
    posterior = begun.add(Observations.empty())
    (target,) = posterior.targets
    assert np.allclose(target.centre_mm, hotspot().centre_mm)
    assert target.mapped_mm is not None
    assert np.allclose(target.mapped_mm, hotspot().centre_mm)
    assert target.activity_mbq == pytest.approx(0.5, rel=0.01)
    assert not target.is_localisable
