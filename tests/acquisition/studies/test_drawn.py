"""Drawn targets: segments and contours, placed where they were drawn; organs are no targets."""

from collections.abc import Callable, Sequence
from pathlib import Path

import highdicom
import numpy as np
import pytest
from highdicom.sr import CodedConcept
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from acquisition.studies import Study, read_study
from navigation.outlines import Outline
from tests.acquisition.studies.registered import write_registration
from tests.acquisition.studies.written import FRAME, OBLIQUE, make_object, save, slice_positions_mm, write_ct

LESION = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
ORGAN = CodedConcept("123037004", "SCT", "Anatomical Structure")
NODE = CodedConcept("59441001", "SCT", "Lymph node")
BALL_MM = np.array([4.0, -8.0, 130.0])


def write_segments(folder: Path, ct: Sequence[Path]) -> tuple[list[Path], np.ndarray]:
    """Let highdicom write two segments on a CT: a lesion in two slices with an empty one between, and an organ."""
    sources = [dcmread(path) for path in ct]
    for one in sources:
        one.PatientBirthDate = one.PatientSex = one.AccessionNumber = one.StudyID = one.ReferringPhysicianName = ""
    mask = np.zeros((len(sources), 6, 7, 2), np.uint8)
    order = np.argsort(
        [float(np.dot(one.ImagePositionPatient, np.cross(OBLIQUE[:3], OBLIQUE[3:]))) for one in sources]
    )
    for place in (1, 3):
        mask[order[place], 2:4, 4, 0] = 1
    mask[:, 1:, :3, 1] = 1
    descriptions = [
        highdicom.seg.SegmentDescription(
            number, label, category, NODE, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for number, label, category in ((1, "node left", LESION), (2, "liver", ORGAN))
    ]
    written = highdicom.seg.Segmentation(
        sources, mask, highdicom.seg.SegmentationTypeValues.BINARY, descriptions,
        series_instance_uid="1.2.826.80", series_number=8, sop_instance_uid="1.2.826.80.1", instance_number=1,
        manufacturer="test", manufacturer_model_name="test", software_versions="1", device_serial_number="1",
        omit_empty_frames=True,
    )  # fmt: skip
    written.save_as(folder / "seg.dcm")
    positions_mm = slice_positions_mm(OBLIQUE, 5, 3.0)[[1, 3]]
    middle_mm = positions_mm.mean(axis=0) + 1.5 * 4 * np.array(OBLIQUE[:3]) + 2.0 * 2.5 * np.array(OBLIQUE[3:])
    return [folder / "seg.dcm"], middle_mm


def only(study: Study) -> Outline:
    """Take the one drawn target."""
    (outline,) = study.outlines
    return outline


def test_segments_of_highdicom(tmp_path: Path) -> None:
    """The lesion's voxels are where highdicom wrote them, empty slices left out; the organ is only named."""
    ct = write_ct(tmp_path, cosines=OBLIQUE)
    paths, middle_mm = write_segments(tmp_path, ct)
    study = read_study([*ct, *paths])
    outline = only(study)
    assert outline.name == "node left"
    assert outline.centre_mm == pytest.approx(middle_mm, abs=1e-3)
    assert outline.volume_ml == pytest.approx(4 * 1.5 * 2.0 * 3.0 / 1000)
    assert study.series[-1].accepted
    assert study.series[-1].reason == "1 drawn targets; not targets: liver"
    assert study.anatomy is not None
    assert outline.values_in(study.anatomy).shape == (4,)


def circle(centre_mm: np.ndarray, radius_mm: float, height_mm: float) -> list[float]:
    """Points on a circle about the z axis."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x_mm, y_mm = centre_mm[0] + radius_mm * np.cos(angles), centre_mm[1] + radius_mm * np.sin(angles)
    return [round(float(mm), 3) for mm in np.stack([x_mm, y_mm, np.full(60, height_mm)], axis=-1).ravel()]


def write_structures(
    folder: Path, *, kind: str = "GTV", hole_mm: float = 0.0, edit: Callable[[Dataset], None] | None = None
) -> list[Path]:
    """Write a ball of 10 mm radius in contours 2 mm apart, with a hole through it, and an organ beside it."""
    dataset = make_object(uid.RTStructureSetStorage, "RTSTRUCT", "1.2.826.90", 0)
    rois, observations, regions = [], [], []
    for number, (name, of_kind) in enumerate([("LN 1", kind), ("liver", "ORGAN")], start=1):
        roi, observation, region = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, FRAME
        observation.ReferencedROINumber, observation.RTROIInterpretedType = number, of_kind
        contours = []
        for height_mm in np.arange(-9.0, 10.0, 2.0):
            for radius_mm in (np.sqrt(100 - height_mm**2), hole_mm):
                if radius_mm > 0:
                    contour = Dataset()
                    contour.ContourGeometricType = "CLOSED_PLANAR"
                    contour.ContourData = circle(BALL_MM, radius_mm, BALL_MM[2] + height_mm)
                    contour.NumberOfContourPoints = 60
                    contours.append(contour)
        region.ReferencedROINumber, region.ContourSequence = number, Items(contours)
        rois.append(roi)
        observations.append(observation)
        regions.append(region)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Items(rois), Items(regions)
    dataset.RTROIObservationsSequence = Items(observations)
    if edit:
        edit(dataset)
    return [save(dataset, folder / "structures.dcm")]


@pytest.mark.parametrize(("hole_mm", "volume_ml"), [(0.0, 4.19), (3.0, 4.19 - 0.57)])
def test_contours_of_a_ball(tmp_path: Path, hole_mm: float, volume_ml: float) -> None:
    """A ball of 10 mm has 4.19 mL about its middle; a contour within a contour is a hole."""
    study = read_study([*write_ct(tmp_path), *write_structures(tmp_path, hole_mm=hole_mm)])
    outline = only(study)
    assert outline.name == "LN 1"
    assert outline.centre_mm == pytest.approx(BALL_MM, abs=0.1)
    assert outline.volume_ml == pytest.approx(volume_ml, rel=0.03)
    if not hole_mm:
        assert np.sqrt(np.diag(outline.extent_mm2)) == pytest.approx(10 / np.sqrt(5), rel=0.03)
    assert study.series[-1].reason == "1 drawn targets; not targets: liver (ORGAN)"


def test_contours_in_another_frame_follow_the_registration(tmp_path: Path) -> None:
    """Drawn in a frame of reference of its own, a target is used only where a registration joins the two."""

    def elsewhere(dataset: Dataset) -> None:
        for roi in dataset.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = "1.9"

    paths = [*write_ct(tmp_path), *write_structures(tmp_path, edit=elsewhere)]
    study = read_study(paths)
    assert study.outlines == ()
    assert not study.series[-1].accepted
    assert "1 not used: Frame of Reference UID (0020,0052) is another" in study.series[-1].reason
    shift = np.eye(4)
    shift[:3, 3] = (5.0, 6.0, 7.0)
    joined = read_study([*paths, *write_registration(tmp_path, to_uid=FRAME, motions=[("1.9", shift)])])
    assert only(joined).centre_mm == pytest.approx(BALL_MM + np.array([5.0, 6.0, 7.0]), abs=0.1)


def of_target(edit: Callable[[Dataset], None]) -> Callable[[Dataset], None]:
    """Change the contours of the target."""
    return lambda dataset: edit(dataset.ROIContourSequence[0])


def bend(region: Dataset) -> None:
    """Lift a point out of its plane."""
    data = list(region.ContourSequence[4].ContourData)
    data[2] = float(data[2]) + 3.0
    region.ContourSequence[4].ContourData = data


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (of_target(bend), "Contour Data (3006,0050) of LN 1 in structures.dcm is not planar"),
        (
            of_target(lambda region: setattr(region.ContourSequence[0], "ContourGeometricType", "POINT")),
            "is POINT, not closed",
        ),
        (of_target(lambda region: setattr(region, "ContourSequence", region.ContourSequence[:1])), "in one plane"),
        (
            of_target(lambda region: setattr(region.ContourSequence[0], "ContourData", [1, 2, 3, 4])),
            "holds 4 numbers",
        ),
        (
            lambda dataset: delattr(dataset.StructureSetROISequence[0], "ReferencedFrameOfReferenceUID"),
            "is missing",
        ),
    ],
)
def test_what_makes_contours_refused(tmp_path: Path, edit: Callable[[Dataset], None], words: str) -> None:
    """Contours that are open, bent, in one plane or of no space give no target, and the CT is still used."""
    study = read_study([*write_ct(tmp_path), *write_structures(tmp_path, edit=edit)])
    assert study.outlines == ()
    assert study.anatomy is not None
    assert words in study.series[-1].reason


def test_a_target_volume_with_margins_is_no_target(tmp_path: Path) -> None:
    """PTV holds margins for the treatment's errors: its middle may not be the lesion's."""
    study = read_study([*write_ct(tmp_path), *write_structures(tmp_path, kind="PTV")])
    assert study.outlines == ()
    assert "not targets: LN 1 (PTV), liver (ORGAN)" in study.series[-1].reason
