"""What ``acquire``'s simulated calibrations go by."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from acquisition.tracking.register import run_register
from acquisition.tracking.tip_file import write_tip
from composition.errors import ServiceError
from composition.named import Workplace
from composition.simulated import simulated_site, simulated_tip
from composition.tracking import before_source, register
from simulators.theatre import TOOL_FROM_TIP
from tests.acquisition.tracking.tips import tip_calibration


async def test_a_simulated_axis_is_held_against_the_tip_that_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``acquire register`` does, so that the verdict has a file; before the first the tip is the typed one."""
    monkeypatch.chdir(tmp_path)
    place = Workplace(site=simulated_site(), is_simulated=True)
    async with before_source(place, yes=True, fault=None, seed=1) as (sweeping, tip):
        assert tip is None
        assert np.allclose(sweeping.probe.tool_from_tip.matrix, TOOL_FROM_TIP.matrix)
    moved = TOOL_FROM_TIP.matrix.copy()
    moved[2, 3] -= 0.4
    measured = msgspec.structs.replace(tip_calibration(datetime.now(tz=UTC)), tool_from_tip=moved.tolist())
    write_tip(simulated_tip().file, measured)
    async with before_source(place, yes=True, fault=None, seed=1) as (sweeping, tip):
        assert tip == measured
        assert np.array_equal(sweeping.probe.tool_from_tip.matrix, moved)


async def test_nobody_is_registered_by_a_tip_that_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said before a landmark is touched, with what to do."""
    monkeypatch.chdir(tmp_path)
    write_tip(simulated_tip().file, tip_calibration(datetime.now(tz=UTC) - timedelta(days=31)))
    with pytest.raises(ServiceError, match=r"the tip's calibration expired on .*: run acquire tool"):
        await register(
            Workplace(site=simulated_site(), is_simulated=True),
            run_register,
            landmarks=None,
            frame_of_reference_uid="",
            patient_id="A-1",
            yes=True,
            fault=None,
            seed=1,
        )
