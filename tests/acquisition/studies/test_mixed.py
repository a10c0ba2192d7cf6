"""One study of several series, orientations and frames of reference: each lies where it says itself."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from acquisition.studies import Study, read_study
from tests.acquisition.studies.enhanced import write_enhanced
from tests.acquisition.studies.written import AXIAL, FRAME, OBLIQUE, hottest_mm, write_ct, write_nm, write_pet

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
FEET_FIRST = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OTHER_FRAME = "1.2.826.3"
MARK_MM = np.array([12.0, -7.0, 30.0])
"""Where every series has its hottest voxel."""

VOXEL = 3, 4, 2
"""Slice, row and column of it, of 5 slices of 6 x 7."""

PIXELS = np.zeros((5, 6, 7), np.int16)
PIXELS[VOXEL] = 2000


def first_mm(cosines: Sequence[float], step_mm: float) -> np.ndarray:
    """Where the first voxel lies for the mark to be at its voxel: rows are 2.0 mm, columns 1.5 mm apart."""
    along_row, down_column = np.array(cosines[:3]), np.array(cosines[3:])
    normal = np.cross(along_row, down_column)
    return MARK_MM - VOXEL[0] * step_mm * normal - VOXEL[1] * 2.0 * down_column - VOXEL[2] * 1.5 * along_row


class Console:
    """Writes series about the mark into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.series: list[list[Path]] = []

    def slices(self, kind: str, series: str, cosines: Sequence[float], frame: str = FRAME) -> None:
        """Write a CT or a PET."""
        normal = np.cross(cosines[:3], cosines[3:])

        def place(number: int, dataset: Dataset) -> None:
            dataset.SeriesInstanceUID, dataset.SOPInstanceUID = series, f"{series}.{number + 1}"
            dataset.ImagePositionPatient = [f"{mm:.8g}" for mm in first_mm(cosines, 3.0) + 3.0 * number * normal]
            dataset.FrameOfReferenceUID = frame

        folder = self.folder / series
        folder.mkdir()
        write = write_ct if kind == "CT" else write_pet
        self.series.append(write(folder, cosines=cosines, pixels=PIXELS, edit=place))

    def spect(self, series: str, cosines: Sequence[float], frame: str = FRAME) -> None:
        """Write an NM reconstruction, stacked in front of its first frame."""

        def place(dataset: Dataset) -> None:
            dataset.SeriesInstanceUID, dataset.SOPInstanceUID = series, f"{series}.1"
            dataset.FrameOfReferenceUID = frame
            dataset.DetectorInformationSequence[0].ImagePositionPatient = list(first_mm(cosines, -4.4))

        folder = self.folder / series
        folder.mkdir()
        pixels = PIXELS.astype(np.uint16)
        self.series.append(write_nm(folder, cosines=cosines, pixels=pixels, spacing_mm=-4.4, edit=place))

    def enhanced(self, series: str, cosines: Sequence[float]) -> None:
        """Write an Enhanced CT."""
        shift_mm = first_mm(cosines, 3.0) - (-30.0, -20.0, 100.0)

        def place(dataset: Dataset) -> None:
            for frame in dataset.PerFrameFunctionalGroupsSequence:
                position = frame.PlanePositionSequence[0]
                moved_mm = np.array(position.ImagePositionPatient, float) + shift_mm
                position.ImagePositionPatient = [f"{mm:.8g}" for mm in moved_mm]

        paths = write_enhanced(
            self.folder, series=series, cosines=cosines, pixels=PIXELS.astype(np.uint16), edit=place
        )
        self.series.append(paths)

    def send(self) -> Study:
        """Read all of it as one study, the last series first."""
        return read_study([path for paths in self.series[::-1] for path in paths])


def test_every_orientation_of_one_study_lies_in_its_own_place(tmp_path: Path) -> None:
    """Axial, coronal, sagittal, oblique and feet first, as CT, PET, NM and enhanced: the mark is in one place."""
    console = Console(tmp_path)
    console.slices("CT", "1.2.826.11", AXIAL)
    console.slices("CT", "1.2.826.12", CORONAL)
    console.slices("CT", "1.2.826.13", SAGITTAL)
    console.slices("PT", "1.2.826.14", FEET_FIRST)
    console.spect("1.2.826.15", OBLIQUE)
    console.enhanced("1.2.826.16", SAGITTAL)
    together = {one.series_uid: one for one in console.send().series}
    assert len(together) == 6
    for paths in console.series:
        alone = read_study(paths)
        volume = alone.anatomy or alone.activity
        assert volume is not None
        assert hottest_mm(volume) == pytest.approx(MARK_MM, abs=1e-3)
        beside_others = together[alone.series[0].series_uid].geometry
        assert beside_others is not None
        assert np.array_equal(beside_others.patient_from_voxel, volume.geometry.patient_from_voxel)
    used = [one.volume for one in together.values() if one.volume is not None]
    assert len(used) == 2
    assert all(hottest_mm(volume) == pytest.approx(MARK_MM, abs=1e-3) for volume in used)


def test_of_two_frames_in_one_study_one_pair_is_used(tmp_path: Path) -> None:
    """A SPECT/CT and a PET/CT, each in a frame of its own: nothing of one is laid on the other."""
    console = Console(tmp_path)
    console.slices("CT", "1.2.826.11", AXIAL)
    console.spect("1.2.826.15", OBLIQUE)
    console.slices("CT", "1.2.826.12", CORONAL, OTHER_FRAME)
    console.slices("PT", "1.2.826.14", FEET_FIRST, OTHER_FRAME)
    study = console.send()
    assert study.anatomy is not None
    assert study.activity is not None
    assert {each.geometry.frame_of_reference_uid for each in (study.anatomy, study.activity)} == {OTHER_FRAME}
    assert study.activity.unit == "Bq/mL"
    assert study.apart == ((OTHER_FRAME, FRAME),)
    unused = [one for one in study.series if not one.accepted]
    assert {one.series_uid for one in unused} == {"1.2.826.11", "1.2.826.15"}
    for one in unused:
        assert one.geometry is not None
        assert one.geometry.frame_of_reference_uid == FRAME
        assert f"confirm that {FRAME} and {OTHER_FRAME} are the same space" in one.reason
