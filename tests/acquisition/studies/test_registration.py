"""Two frames of reference become one space by a registration object or a person's word, and by nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation

from acquisition.studies import Knowledge, SameFrames, read_study
from tests.acquisition.studies.registered import write_registration
from tests.acquisition.studies.written import FRAME, hottest_mm, nm, write_ct, write_nm

OTHER, THIRD = "1.2.826.3", "1.2.826.4"


def motion(angles_deg: tuple[float, float, float], shift_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Make a rotation and a translation."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    matrix[:3, 3] = shift_mm
    return matrix


MOTION = motion((3.0, -7.0, 90.0), (12.0, -34.0, 56.0))


def apart(folder: Path) -> tuple[list[Path], NDArray[np.float64]]:
    """Write a CT and a SPECT of another frame of reference; give where the SPECT alone has its hot voxel."""
    paths = write_nm(folder, edit=nm("FrameOfReferenceUID", OTHER))
    alone = read_study(paths).activity
    assert alone is not None
    return [*paths, *write_ct(folder)], hottest_mm(alone)


def moved(matrix: NDArray[np.floating], point_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move a point."""
    return np.asarray(matrix[:3, :3] @ point_mm + matrix[:3, 3], dtype=np.float64)


def test_a_registration_object_brings_the_spect_into_the_ct(tmp_path: Path) -> None:
    """Every point moves as the matrix says; the report and the study say which object joined them."""
    paths, hot_mm = apart(tmp_path)
    study = read_study([*paths, *write_registration(tmp_path, to_uid=FRAME, motions=[(OTHER, MOTION)])])
    assert study.anatomy is not None
    assert study.activity is not None
    assert study.activity.geometry.frame_of_reference_uid == FRAME
    assert hottest_mm(study.activity) == pytest.approx(moved(MOTION, hot_mm), abs=1e-3)
    assert study.joined_by == "registration object 1.2.826.60.dcm (FUSION)"
    spect, _, registration = study.series
    assert "brought into the space of the anatomy: registration object 1.2.826.60.dcm" in spect.reason
    assert spect.geometry is not None
    assert spect.geometry.frame_of_reference_uid == OTHER
    assert registration.accepted
    assert registration.reason == f"rigid registration of {OTHER} into {FRAME}"


def test_a_registration_the_other_way_is_inverted(tmp_path: Path) -> None:
    """An object that brings the CT into the SPECT's frame serves as well."""
    paths, hot_mm = apart(tmp_path)
    study = read_study([*paths, *write_registration(tmp_path, to_uid=OTHER, motions=[(FRAME, MOTION)])])
    assert study.activity is not None
    assert hottest_mm(study.activity) == pytest.approx(moved(np.linalg.inv(MOTION), hot_mm), abs=1e-3)


def test_registrations_into_a_third_frame_are_joined(tmp_path: Path) -> None:
    """Both brought into a third frame: the SPECT goes there, and from there into the CT's."""
    paths, hot_mm = apart(tmp_path)
    back = motion((0.0, 20.0, 0.0), (1.0, 2.0, 3.0))
    reg = write_registration(tmp_path, to_uid=THIRD, motions=[(OTHER, MOTION), (FRAME, back)])
    study = read_study([*paths, *reg])
    assert study.activity is not None
    expected_mm = moved(np.linalg.inv(back) @ MOTION, hot_mm)
    assert hottest_mm(study.activity) == pytest.approx(expected_mm, abs=1e-3)


def test_a_person_may_confirm_that_two_frames_are_one(tmp_path: Path) -> None:
    """Confirmed, nothing is moved, and who said so stands in the study; of other frames it changes nothing."""
    paths, hot_mm = apart(tmp_path)
    confirmed = SameFrames(frames=(OTHER, FRAME), confirmed_by="Dr. Weber")
    study = read_study(paths, Knowledge(same_frames=(confirmed,)))
    assert study.activity is not None
    assert hottest_mm(study.activity) == pytest.approx(hot_mm)
    assert study.joined_by == "confirmed by Dr. Weber as the same space"
    unrelated = SameFrames(frames=(THIRD, FRAME), confirmed_by="Dr. Weber")
    assert read_study(paths, Knowledge(same_frames=(unrelated,))).activity is None


def test_without_either_the_two_are_not_joined(tmp_path: Path) -> None:
    """The reason names both frames of reference and what would join them."""
    paths, _ = apart(tmp_path)
    study = read_study(paths)
    assert study.activity is None
    assert study.joined_by == ""
    assert f"confirm that {OTHER} and {FRAME} are the same space" in study.series[0].reason
    assert study.series[0].geometry is not None


def test_the_same_frame_needs_no_registration(tmp_path: Path) -> None:
    """Equal frames of reference are joined, and a registration of other frames moves nothing."""
    paths = [*write_nm(tmp_path), *write_ct(tmp_path)]
    reg = write_registration(tmp_path, to_uid=THIRD, motions=[(OTHER, MOTION)])
    study, plain = read_study([*paths, *reg]), read_study(paths)
    assert study.activity is not None
    assert plain.activity is not None
    assert np.array_equal(study.activity.geometry.patient_from_voxel, plain.activity.geometry.patient_from_voxel)
    assert study.joined_by == "the same Frame of Reference UID (0020,0052)"


def test_the_ct_of_the_same_frame_is_preferred_to_a_registered_one(tmp_path: Path) -> None:
    """Of two CTs the one of the SPECT's own frame is used, though the registered one has more voxels."""
    larger = np.zeros((9, 6, 7), np.int16)

    def put(_: int, dataset: Dataset) -> None:
        dataset.FrameOfReferenceUID = OTHER

    other = write_ct(tmp_path, series="1.2.826.11", pixels=larger, edit=put)
    reg = write_registration(tmp_path, to_uid=OTHER, motions=[(FRAME, MOTION)])
    study = read_study([*other, *write_ct(tmp_path), *write_nm(tmp_path), *reg])
    assert study.anatomy is not None
    assert study.anatomy.geometry.shape == (5, 6, 7)


def test_registrations_that_contradict_each_other_join_nothing(tmp_path: Path) -> None:
    """Two objects that place the same frames differently are both refused: nobody knows which holds."""
    paths, _ = apart(tmp_path)
    one = write_registration(tmp_path, to_uid=FRAME, motions=[(OTHER, MOTION)])
    off = motion((3.0, -7.0, 90.0), (12.0, -34.0, 61.0))
    two = write_registration(tmp_path, to_uid=FRAME, motions=[(OTHER, off)], series="1.2.826.61")
    study = read_study([*paths, *one, *two])
    assert study.activity is None
    assert [report.accepted for report in study.series[2:]] == [False, False]
    assert "5.0 mm apart" in study.series[2].reason
    confirmed = SameFrames(frames=(OTHER, FRAME), confirmed_by="Dr. Weber")
    assert read_study([*paths, *one], Knowledge(same_frames=(confirmed,))).activity is None


def first_matrix(dataset: Dataset) -> Dataset:
    """The matrix that moves."""
    matrix: Dataset = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
    return matrix


def set_matrix(matrix: NDArray[np.float64]) -> Callable[[Dataset], None]:
    """Put another matrix."""
    return lambda dataset: setattr(
        first_matrix(dataset),
        "FrameOfReferenceTransformationMatrix",
        [f"{number:.10g}" for number in matrix.ravel()],
    )


def move_itself(dataset: Dataset) -> None:
    """Move the registered frame against itself, as a correction of one image's place would."""
    itself = dataset.RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence[0]
    itself.FrameOfReferenceTransformationMatrix = [f"{number:.10g}" for number in MOTION.ravel()]


def two_matrices(dataset: Dataset) -> None:
    """Add a second motion to the sequence."""
    dataset.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence.append(Dataset())


MATRIX = "Frame of Reference Transformation Matrix (3006,00c6) in 1.2.826.60.dcm"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            lambda dataset: setattr(first_matrix(dataset), "FrameOfReferenceTransformationMatrixType", "AFFINE"),
            f"{MATRIX} is AFFINE: only rigid",
        ),
        (set_matrix(np.diag([1.1, 1.1, 1.1, 1.0])), f"{MATRIX} says RIGID and is no rotation"),
        (set_matrix(np.diag([-1.0, 1.0, 1.0, 1.0])), f"{MATRIX} mirrors: left would become right"),
        (set_matrix(np.diag([1.0, 1.0, 1.0, 0.5])), f"{MATRIX} says RIGID and is no rotation"),
        (move_itself, f"{MATRIX} moves images within one frame of reference"),
        (two_matrices, "Matrix Sequence (0070,030a) in 1.2.826.60.dcm holds 2 matrices"),
        (
            lambda dataset: delattr(dataset.RegistrationSequence[1], "FrameOfReferenceUID"),
            "Frame of Reference UID (0020,0052) is missing",
        ),
        (lambda dataset: delattr(dataset, "RegistrationSequence"), "joins no two frames of reference"),
    ],
)
def test_what_makes_a_registration_refused(tmp_path: Path, edit: Callable[[Dataset], None], words: str) -> None:
    """What is no rigid motion, or does not name its frames, joins nothing and says why."""
    paths, _ = apart(tmp_path)
    study = read_study([*paths, *write_registration(tmp_path, to_uid=FRAME, motions=[(OTHER, MOTION)], edit=edit)])
    assert study.activity is None
    assert not study.series[-1].accepted
    assert words in study.series[-1].reason
