"""What the service makes of a study that a foreign program sends, as whoever asks over HTTP sees it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import UID

from display.messages.study import FramesRequest, StudyReport
from simulators.console.study import make_study
from simulators.scene import sentinel_node_scene
from tests.system.running import PATIENCE_S, Service, looking, running, send

pytestmark = [pytest.mark.timeout(240), pytest.mark.peer("dcmtk")]

OTHER_FRAME = "2.25.4711"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the simulated room for these tests."""
    folder = tmp_path_factory.mktemp("room")
    with running("--simulate", "--port", 0, "--dicom-port", 0, folder=folder) as room:
        with looking(room.display) as display:
            display.until(lambda state: state.study)  # its own study has come: nothing else is being read
        yield room


def scanned(folder: Path, *, seed: int) -> list[Path]:
    """Write a SPECT/CT of her, another with each seed."""
    taken_at = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    return make_study(sentinel_node_scene(), folder, rng=np.random.default_rng(seed), taken_at=taken_at)


def reported(service: Service, study_uid: str, is_so: Callable[[StudyReport], object]) -> StudyReport:
    """Wait until the service reports on a study, and something is so of it."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        report = service.report(study_uid)
        if report is not None and is_so(report):
            return report
        time.sleep(0.02)
    pytest.fail(f"no such report within {PATIENCE_S:.0f} s: {service.report(study_uid)}")


def test_a_sent_study_is_reported(
    service: Service, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """All of it soon after the end of its association (3 s wanted, on a host with nothing else to do)."""
    files = scanned(tmp_path, seed=11)
    study_uid = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    assert service.report(study_uid) is None
    send(files, port=service.node_port)
    ended_s = time.monotonic()
    report = reported(service, study_uid, lambda report: sum(each.objects for each in report.series) == len(files))
    took_s = time.monotonic() - ended_s
    record_property("report_after_s", took_s)
    print(f"the report was there {took_s:.2f} s after storescu had ended")  # noqa: T201 - what it is about
    assert report.patient_id == "SIM-0001"
    assert [each.accepted for each in report.series] == [True, True]
    assert report.joined_by == "the same Frame of Reference UID (0020,0052)"
    assert {each.kind for each in report.candidates} == {"target", "injection"}
    for spot in report.candidates:
        truth = next(each for each in sentinel_node_scene().scan_sources if each.kind == spot.kind)
        assert np.linalg.norm(np.subtract(spot.centre_mm, truth.centre_mm)) < 3.0
        assert spot.shortest_route is not None


def test_a_person_joins_two_frames_of_reference(service: Service, tmp_path: Path) -> None:
    """A reprocessed SPECT has another frame: no target is shown until somebody answers for it, and then who."""
    files = scanned(tmp_path, seed=12)
    spect = dcmread(files[-1])
    study_uid, frame = str(spect.StudyInstanceUID), str(spect.FrameOfReferenceUID)
    spect.FrameOfReferenceUID = OTHER_FRAME
    spect.save_as(files[-1])
    send(files, port=service.node_port)
    apart = reported(service, study_uid, lambda report: sum(each.objects for each in report.series) == len(files))
    assert (apart.joined_by, apart.candidates) == ("", ())
    ((pair),) = apart.apart
    assert (pair.one_uid, pair.other_uid) == (frame, OTHER_FRAME)
    request = FramesRequest(study_uid=study_uid, one_uid=frame, other_uid=OTHER_FRAME, is_same=True)
    assert service.confirm_frames(request) == (204, "")
    joined = service.report(study_uid)
    assert joined is not None
    assert "confirmed by this machine on" in joined.joined_by
    assert {each.kind for each in joined.candidates} == {"target", "injection"}
    status, said = service.confirm_frames(request)
    assert (status, said) == (
        409,
        "these are no two frames of reference of the study that wait for a confirmation",
    )


def test_a_spot_keeps_its_name_when_a_late_series_orders_them_otherwise(service: Service, tmp_path: Path) -> None:
    """In the later reconstruction the node outshines the injection: each is called what it was called before."""
    files = scanned(tmp_path, seed=13)
    spect = dcmread(files[-1])
    study_uid = str(spect.StudyInstanceUID)
    send(files, port=service.node_port)
    reported(service, study_uid, lambda report: sum(each.objects for each in report.series) == len(files))
    service.choose(next(study for study in service.studies() if study.study_uid == study_uid))
    before = service.report(study_uid)
    assert before is not None
    places = {spot.name: spot.centre_mm for spot in before.candidates}
    assert set(places) == {"injection", "target 1"}
    detector, pixels = spect.DetectorInformationSequence[0], spect.pixel_array // 12
    step_mm = np.array([spect.SpacingBetweenSlices, *spect.PixelSpacing], float)
    offset_mm = np.array(places["target 1"]) - np.array(detector.ImagePositionPatient, float)
    apart_mm = np.moveaxis(np.indices(pixels.shape), 0, -1) * step_mm - offset_mm[::-1]
    hot = 30_000 * np.exp(-0.5 * ((apart_mm / 5.0) ** 2).sum(axis=-1))
    spect.PixelData = (pixels + hot).astype("<u2").tobytes()
    spect.SOPInstanceUID = spect.file_meta.MediaStorageSOPInstanceUID = UID(f"{spect.SOPInstanceUID}.9")
    spect.SeriesInstanceUID = UID(f"{spect.SeriesInstanceUID}.9")  # of two that are alike the last is preferred
    spect.save_as(tmp_path / "late.dcm")
    send([tmp_path / "late.dcm"], port=service.node_port)
    after = reported(
        service, study_uid, lambda report: sum(each.objects for each in report.series) == len(files) + 1
    )
    assert [spot.name for spot in after.candidates] == ["target 1", "injection"]
    for spot in after.candidates:
        assert np.linalg.norm(np.subtract(spot.centre_mm, places[spot.name])) < 3.0
