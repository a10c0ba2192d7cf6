"""Left stays left, whatever way the patient lies in the scanner."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from acquisition.studies import read_study
from tests.acquisition.studies.written import hottest_mm, write_ct, write_nm, write_pet

RIGHTWARDS, DOWNWARDS, INWARDS = np.eye(3, dtype=int)
"""Directions as an operator sees them who looks into the gantry: right, to the floor, into the bore."""

LYING = {
    # where the patient's left, back and head point
    "HFS": (RIGHTWARDS, DOWNWARDS, INWARDS),
    "HFP": (-RIGHTWARDS, -DOWNWARDS, INWARDS),
    "HFDL": (DOWNWARDS, -RIGHTWARDS, INWARDS),
    "HFDR": (-DOWNWARDS, RIGHTWARDS, INWARDS),
    "FFS": (-RIGHTWARDS, DOWNWARDS, -INWARDS),
    "FFP": (RIGHTWARDS, -DOWNWARDS, -INWARDS),
    "FFDL": (DOWNWARDS, RIGHTWARDS, -INWARDS),
    "FFDR": (-DOWNWARDS, -RIGHTWARDS, -INWARDS),
}
"""Patient Position (0018,5100), PS3.3 C.7.3.1.1.2, as a person would draw it."""

COLUMN_MM, ROW_MM = 1.5, 2.0
MIDDLE = 20
MARK_MM = np.array([12.0, 18.0, 6.0])
"""A mark on the patient's left, at the back, towards the head."""


def scan(lying: str, slice_step_mm: float) -> tuple[list[float], NDArray[np.float64], NDArray[np.int16]]:
    """Give the orientation, the first voxel's place and the pixels of an image along the scanner's axes."""
    patient_from_scanner = np.array(LYING[lying])
    assert np.linalg.det(patient_from_scanner) == pytest.approx(1.0), "no way of lying mirrors a patient"
    steps_mm = np.array([COLUMN_MM, ROW_MM, slice_step_mm])
    size = np.array([2 * MIDDLE + 1, 2 * MIDDLE + 1, 21])
    column, row, number = np.rint(MARK_MM @ patient_from_scanner / steps_mm + (size - 1) / 2).astype(int)
    pixels = np.zeros(size[::-1], np.int16)
    pixels[number, row, column] = 500
    first_mm = patient_from_scanner @ (-(size - 1) / 2 * steps_mm)
    cosines = [*patient_from_scanner[:, 0].astype(float), *patient_from_scanner[:, 1].astype(float)]
    return cosines, first_mm, pixels


@pytest.mark.parametrize("lying", LYING)
@pytest.mark.parametrize("modality", ["CT", "PT", "NM", "NM from the far end"])
def test_left_stays_left(tmp_path: Path, lying: str, modality: str) -> None:
    """A mark on the left (+x), at the back (+y), towards the head (+z) is found there in all eight positions."""
    slice_step_mm = {"NM": 3.0, "NM from the far end": -3.0}.get(modality, 3.0)
    cosines, first_mm, pixels = scan(lying, slice_step_mm)
    # rows run to the right, columns down: the normal points into the bore
    normal = np.cross(cosines[:3], cosines[3:])

    def place(number: int, dataset: Dataset) -> None:
        dataset.PatientPosition = lying
        dataset.ImagePositionPatient = list(first_mm + number * slice_step_mm * normal)

    def place_nm(dataset: Dataset) -> None:
        dataset.PatientPosition = lying
        dataset.DetectorInformationSequence[0].ImagePositionPatient = list(first_mm)

    if modality.startswith("NM"):
        paths = write_nm(
            tmp_path,
            cosines=cosines,
            pixels=pixels.astype(np.uint16),
            spacing_mm=slice_step_mm,
            edit=place_nm,
        )
    else:
        paths = (write_ct if modality == "CT" else write_pet)(tmp_path, cosines=cosines, pixels=pixels, edit=place)
    study = read_study(paths)
    volume = study.anatomy if modality == "CT" else study.activity
    assert volume is not None
    assert hottest_mm(volume) == pytest.approx(MARK_MM, abs=1e-3)
