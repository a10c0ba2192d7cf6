import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from devices.dicom.client import run_node
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.part10 import data_set_offset
from simulators.console.images import CT_GRID, SPECT_GRID
from simulators.console.sender import StudyNotSent, send_study
from simulators.console.study import foretell_frame_of_reference_uid, make_study
from simulators.scene import Scene, sentinel_node_scene

TAKEN_AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Lay out the patient."""
    return sentinel_node_scene()


@pytest.fixture(scope="module")
def study(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Scan her once for all tests."""
    folder = tmp_path_factory.mktemp("study")
    return make_study(scene, folder, rng=np.random.default_rng(7), taken_at=TAKEN_AT)


def _becquerels_per_ml(nm: Dataset) -> NDArray[np.float64]:
    (mapping,) = nm.RealWorldValueMappingSequence
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "Bq/ml"
    return np.asarray(nm.pixel_array * float(mapping.RealWorldValueSlope))


def _position_mm(nm: Dataset, frame: float, row: float, column: float) -> NDArray[np.float64]:
    # PS3.3 C.8.4.15: from the first frame along its normal, by the signed spacing
    (detector,) = nm.DetectorInformationSequence
    across, down = np.reshape([float(value) for value in detector.ImageOrientationPatient], (2, 3))
    origin_mm = np.array([float(value) for value in detector.ImagePositionPatient])
    row_mm, column_mm = (float(value) for value in nm.PixelSpacing)
    normal = np.cross(across, down)
    offset_mm = column * column_mm * across + row * row_mm * down + frame * nm.SpacingBetweenSlices * normal
    return np.asarray(origin_mm + offset_mm)


def test_the_frame_of_reference_of_a_study_is_known_before_it_is_made(study: list[Path]) -> None:
    """Asked as often as one likes: the draws stay those that make the study."""
    rng = np.random.default_rng(7)
    foretold = {foretell_frame_of_reference_uid(rng) for _ in range(2)}
    assert foretold == {
        str(dcmread(path, specific_tags=["FrameOfReferenceUID"]).FrameOfReferenceUID) for path in study
    }


def test_the_study_is_one_patient_one_study_one_frame_of_reference(study: list[Path]) -> None:
    """CT and NM share what joins them, differ in series, and every UID is its object's own."""
    images = [dcmread(path) for path in study]
    assert [image.Modality for image in images] == ["CT"] * 96 + ["NM"]
    assert {str(image.PatientName) for image in images} == {"SIMULATED^PATIENT"}
    assert {image.PatientID for image in images} == {"SIM-0001"}
    assert len({image.StudyInstanceUID for image in images}) == 1
    assert len({image.FrameOfReferenceUID for image in images}) == 1
    assert len({image.SeriesInstanceUID for image in images}) == 2
    assert len({image.SOPInstanceUID for image in images}) == 97


def test_the_hot_spots_are_where_the_sources_were(study: list[Path], scene: Scene) -> None:
    """By the standard's own formula the centroid around each source lies within 1 mm of its centre at the scan."""
    nm = dcmread(study[-1])
    values = _becquerels_per_ml(nm)
    origin_mm = _position_mm(nm, 0, 0, 0)
    steps_mm = np.array([_position_mm(nm, *unit) - origin_mm for unit in np.eye(3)])
    positions_mm = origin_mm + np.moveaxis(np.indices(values.shape), 0, -1) @ steps_mm
    for source in scene.scan_sources:
        near = np.linalg.norm(positions_mm - source.centre_mm, axis=-1) < 20
        centroid_mm = np.average(positions_mm[near], axis=0, weights=values[near])
        assert np.linalg.norm(centroid_mm - source.centre_mm) < 1.0, source.name


def test_the_activity_in_the_map_is_the_activity_in_the_patient(study: list[Path], scene: Scene) -> None:
    """Bq/ml times the volume of a voxel adds up to the sources and their background, within 3 %."""
    nm = dcmread(study[-1])
    voxel_ml = float(np.prod(nm.PixelSpacing)) * abs(nm.SpacingBetweenSlices) / 1000
    mapped_mbq = _becquerels_per_ml(nm).sum() * voxel_ml / 1e6
    sources_mbq = sum(source.activity_mbq for source in scene.scan_sources)
    assert mapped_mbq == pytest.approx(sources_mbq, rel=0.03)


def test_the_ct_shows_the_body_in_hounsfield_units(study: list[Path], scene: Scene) -> None:
    """In a middle slice tissue, lung and air have their CT numbers, at the positions that the headers give."""
    ct = dcmread(study[48])
    x_mm, y_mm, z_mm = (float(value) for value in ct.ImagePositionPatient)
    row_mm, column_mm = ct.PixelSpacing
    rows, columns = np.indices(ct.pixel_array.shape)
    positions_mm = np.stack([x_mm + columns * column_mm, y_mm + rows * row_mm, np.full(rows.shape, z_mm)], axis=-1)
    assert ct.RescaleType == "HU"
    difference = ct.pixel_array * ct.RescaleSlope + ct.RescaleIntercept - scene.body.hounsfield(positions_mm)
    assert abs(difference.mean()) < 1
    assert difference.std() < 20


def test_geometry_of_nm_stands_in_the_detector_information_only(study: list[Path]) -> None:
    """As consoles write it: no orientation at the top, a negative spacing, a slice vector."""
    nm = dcmread(study[-1])
    assert "ImageOrientationPatient" not in nm
    assert "ImagePositionPatient" not in nm
    assert "PatientPosition" not in nm
    assert list(nm.ImageType) == ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    assert nm.SpacingBetweenSlices == -4.0
    assert list(nm.SliceVector) == list(range(1, 65))


def test_the_same_seed_makes_the_same_files(study: list[Path], scene: Scene, tmp_path: Path) -> None:
    """A study can be made again, byte for byte; another seed is another study."""
    again = make_study(scene, tmp_path / "again", rng=np.random.default_rng(7), taken_at=TAKEN_AT)
    other = make_study(scene, tmp_path / "other", rng=np.random.default_rng(8), taken_at=TAKEN_AT)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in study]
    assert dcmread(other[0]).StudyInstanceUID != dcmread(study[0]).StudyInstanceUID


def test_the_grids_hold_the_whole_body(scene: Scene) -> None:
    """Nothing of the patient is cut off left, right, front or back."""
    for grid in (CT_GRID, SPECT_GRID):
        border = np.ones(grid.shape, dtype=bool)
        border[:, 1:-1, 1:-1] = False
        assert not scene.body.contains(grid.centres_mm[border]).any()


async def test_the_study_passes_through_the_node_unchanged(study: list[Path], tmp_path: Path) -> None:
    """Every data set that is sent comes out of the node byte for byte, in one announcement."""
    settings = NodeSettings(port=0, folder=tmp_path, allowed_ae_titles=("SPECTCT",), quiet_s=0.2, free_floor_mb=1)
    async with run_node(settings) as node:
        await send_study(study, node.host, node.port, calling_ae="SPECTCT", called_ae="RADIONAV")
        received = await anext(node.studies())
    assert (len(received.objects), received.calling_ae) == (97, "SPECTCT")

    def digests(paths: tuple[Path, ...]) -> set[bytes]:
        return {hashlib.sha256(path.read_bytes()[data_set_offset(path) :]).digest() for path in paths}

    assert digests(received.objects) == digests(tuple(study))


async def test_a_console_that_is_not_allowed_says_so(study: list[Path], tmp_path: Path) -> None:
    """The sender raises when the node does not let it in."""
    settings = NodeSettings(port=0, folder=tmp_path, free_floor_mb=1)
    async with run_node(settings) as node:
        with pytest.raises(StudyNotSent, match="does not open an association"):
            await send_study(study[-1:], node.host, node.port, calling_ae="SPECTCT", called_ae="RADIONAV")
