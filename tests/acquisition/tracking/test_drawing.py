"""The tip drawn over the simulated patient's skin after her landmarks, by ``acquire register``."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from acquisition.tracking.drawing import judge_skin
from acquisition.tracking.following import Camera
from acquisition.tracking.judging import judge_registration
from acquisition.tracking.operator import Rigged
from acquisition.tracking.register import run_register
from acquisition.tracking.registration_file import read_registrations
from acquisition.tracking.touching import Hand
from devices.clock import monotonic
from devices.trackers.openigtlink import Settings
from navigation.skin import SkinSurface
from navigation.volume import Volume, VolumeGeometry
from simulators.body import Body
from simulators.theatre import PATIENT_FROM_REFERENCE, TOOL_FROM_TIP
from simulators.tool_bench import open_tool_bench
from tests.acquisition.tracking.registering import SETTINGS, plan, touched

TARGET_MM = np.array((90.0, -60.0, 10.0))
ORIGIN_MM = np.zeros(3)


def skin(moved_mm: np.ndarray = ORIGIN_MM) -> SkinSurface:
    """Of a CT of the simulated body, 4 mm voxels, who lies that far from the middle of its coordinates."""
    first_mm, shape = np.array((-180.0, -130.0, -140.0)), (70, 66, 91)
    k, j, i = np.meshgrid(*map(np.arange, shape), indexing="ij")
    hounsfield = Body().hounsfield(first_mm + 4.0 * np.stack((i, j, k), axis=-1) - moved_mm)
    patient_from_voxel = np.array(
        ((0, 0, 4.0, first_mm[0]), (0, 4.0, 0, first_mm[1]), (4.0, 0, 0, first_mm[2]), (0, 0, 0, 1))
    )
    geometry = VolumeGeometry(patient_from_voxel=patient_from_voxel, shape=shape, frame_of_reference_uid="1.2.3")
    return SkinSurface(Volume(geometry=geometry, values=hounsfield.astype(np.float32), quantity="ct", unit="HU"))


def drawn_mm() -> np.ndarray:
    """Points on the front of the body, frame ``REFERENCE``."""
    heights_mm = np.linspace(-70, 70, 8)
    places = [Body().skin(across, z_mm)[0] for across in np.linspace(-0.7, 0.7, 12) for z_mm in heights_mm]
    return PATIENT_FROM_REFERENCE.inverse.points_mm(np.array(places))


async def test_landmarks_and_skin_register_together(tmp_path: Path) -> None:
    """The record holds the registration by both, near the true one, and both steps' figures."""
    settings = SETTINGS.model_copy(update={"file": tmp_path / "registration.json", "hold_s": 0.4, "draw_s": 6.0})
    async with open_tool_bench(tmp_path, rng=np.random.default_rng(4), clock=monotonic) as bench:
        device = Settings(
            driver="openigtlink", host=bench.tracker.host, port=bench.tracker.port, tools=("Probe", "Patient")
        )
        hand = Hand(
            camera=Camera(name="camera", device=device, tool="Probe", reference="Patient", clock=monotonic),
            tool_from_tip=TOOL_FROM_TIP,
            serial="",
            operator=Rigged(bench.hand),
            patient_id="A-1",
            is_simulated=True,
        )
        outcome = await run_register(
            hand=hand,
            plan=plan(tmp_path),
            settings=settings,
            console=Console(file=io.StringIO()),
            skin=skin(),
            wall_time=lambda _: datetime(2026, 11, 28, 7, tzinfo=UTC),
        )
    assert outcome.passed, outcome.results
    assert [result.name for result in outcome.results] == ["registration", "approach", "skin"]
    (kept,) = read_registrations(settings.file)
    wrong_mm = kept.transform.points_mm(PATIENT_FROM_REFERENCE.inverse.points_mm(TARGET_MM)) - TARGET_MM
    assert np.linalg.norm(wrong_mm) < 3.5


def test_skin_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Points that were drawn 40 mm above her, and landmarks that lie nowhere on her, register nobody."""
    planned = plan(tmp_path)
    found, _ = judge_registration(planned, touched(planned), SETTINGS)
    assert found is not None
    laid, result = judge_skin(found, drawn_mm(), skin(), SETTINGS)
    assert result.passed
    assert laid is not None
    assert laid.error.at(TARGET_MM) < found.error.at(TARGET_MM)
    rng = np.random.default_rng(2)
    lifted, refused = judge_skin(found, drawn_mm() + rng.uniform(-60, 60, (96, 3)), skin(), SETTINGS)
    assert lifted is None
    assert "from the skin" in refused.reason or "another place" in refused.reason


def test_right_anterior_superior_shows_where_she_lies_nearly_evenly(tmp_path: Path) -> None:
    """Landmarks marked as RAS and said to be LPS fit each other; the skin is then further off than they allow."""
    planned, behind_mm = plan(tmp_path), np.array((0.0, 10.0, 0.0))
    right_mm = planned.patient_mm + behind_mm
    there = skin(behind_mm)
    judged = []
    for marked_mm in (right_mm, right_mm * (-1.0, -1.0, 1.0)):
        marked = replace(planned, patient_mm=marked_mm, targets_mm={})
        found, _ = judge_registration(marked, touched(planned), SETTINGS)
        assert found is not None, "half a turn leaves the distances as they are"
        judged.append(judge_skin(found, drawn_mm(), there, SETTINGS))
    (meant, passed), (laid, refused) = judged
    assert meant is not None
    assert passed.passed
    assert laid is None
    assert not refused.passed
    assert "RAS or LPS" in refused.reason


def test_right_anterior_superior_is_named_where_she_lies_unevenly(tmp_path: Path) -> None:
    """Half a turn about an axis 60 mm before her middle puts landmarks far from any skin, which says it all."""
    planned, behind_mm = plan(tmp_path), np.array((0.0, 60.0, 0.0))
    turned_mm = (planned.patient_mm + behind_mm) * (-1.0, -1.0, 1.0)
    marked = replace(planned, patient_mm=turned_mm, targets_mm={})
    found, _ = judge_registration(marked, touched(planned), SETTINGS)
    assert found is not None
    laid, refused = judge_skin(found, drawn_mm(), skin(behind_mm), SETTINGS)
    assert laid is None
    assert (
        refused.reason == "the landmarks lie on the skin only with x and y turned: they are RAS where LPS was said"
    )
