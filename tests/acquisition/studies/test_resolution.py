"""What is assumed of a study's resolution, by what its objects and the site say; it stands in the report."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from acquisition.studies import Knowledge, read_study
from acquisition.studies.reading import read_map
from acquisition.studies.report import summarise
from acquisition.studies.resolution import COLLIMATORS
from tests.acquisition.studies.enhanced import mapping, write_enhanced
from tests.acquisition.studies.test_calibrations import CALIBRATION, describe, two_collimators
from tests.acquisition.studies.written import Edit, put, write_nm, write_pet

ONES = np.full((5, 16, 24), 30, np.uint16)


def collimator(name: Any, kind: Any = None) -> Callable[[Dataset], None]:
    """Say what the collimator is called, and of which type it is."""

    def edit(dataset: Dataset) -> None:
        detector = dataset.DetectorInformationSequence[0]
        detector.CollimatorGridName, detector.CollimatorType = name, kind

    return edit


@pytest.mark.parametrize(
    ("edit", "fwhm_mm", "sigma_mm", "words"),
    [
        (collimator("LEHR"), 9.0, 2.0, "usual for a low-energy collimator (lehr)"),
        (
            collimator("Low Energy", "PARA"),
            9.0,
            2.0,
            "a low-energy collimator (low energy/para)",
        ),
        (collimator("MELP"), 12.5, 3.0, "usual for a medium-energy collimator (melp)"),
        (collimator("HEGP", "PARA"), 15.0, 3.5, "usual for a high-energy collimator (hegp/para)"),
        (collimator("", "PINH"), 6.0, 3.0, "usual for a pinhole (pinh)"),
        (collimator("WEHR45"), 10.5, 4.0, "Collimator/grid Name (0018,1180) names no collimator that is known"),
        (collimator(None), 10.5, 4.0, "names no collimator that is known"),
        (two_collimators, 10.5, 4.0, "names no collimator that is known"),
    ],
)
def test_spect_by_its_collimator(
    tmp_path: Path, edit: Callable[[Dataset], None], fwhm_mm: float, sigma_mm: float, words: str
) -> None:
    """What is usual for it and how sure that is; where two heads differ, or it has no name, less sure."""
    resolution = read_study(write_nm(tmp_path, pixels=ONES, edit=edit)).resolution
    assert resolution is not None
    assert (resolution.fwhm_mm, resolution.sigma_mm) == (fwhm_mm, sigma_mm)
    assert words in resolution.words


HOLES_MM = {
    # width and length of a hole, and a mean free path in lead, mm, at 140, 208 to 245 and 364 keV (NIST XCOM)
    "a low-energy collimator": ([(1.11, 24.05), (1.45, 24.05), (1.5, 35.0), (1.9, 35.0), (1.22, 27.0)], (0.37,)),
    "a medium-energy collimator": ([(2.94, 40.64), (3.0, 58.0), (3.4, 58.4)], (0.93, 1.37)),
    "a high-energy collimator": ([(4.0, 59.7), (4.0, 66.0), (3.81, 58.4)], (3.2,)),
}
"""Of Siemens Symbia, GE Infinia and Philips BrightView, by the collimator table that comes with SIMIND."""


@pytest.mark.parametrize("words", HOLES_MM)
def test_the_usual_width_is_that_of_the_makers_collimators(words: str) -> None:
    """The limits hold each one's width at 15 cm, by its holes, and a fifth less: with resolution recovery."""
    ((fwhm_mm, sigma_mm),) = [kind[2:] for kind in COLLIMATORS if kind[1] == words]
    holes, paths_mm = HOLES_MM[words]
    for width_mm, length_mm in holes:
        for path_mm in paths_mm:
            deep_mm = length_mm - 2 * path_mm
            at_15_cm_mm = math.hypot(width_mm * (deep_mm + 150) / deep_mm, 3.8)
            assert fwhm_mm - sigma_mm <= 0.9 * at_15_cm_mm <= fwhm_mm + sigma_mm
            assert fwhm_mm - 1.5 * sigma_mm <= 0.8 * at_15_cm_mm
            assert at_15_cm_mm <= fwhm_mm + 1.5 * sigma_mm


def test_spect_by_the_site(tmp_path: Path) -> None:
    """What the site measured of that camera and collimator is known better than what is usual for them."""
    measured = CALIBRATION.model_copy(update={"resolution_fwhm_mm": 7.4})
    paths = write_nm(tmp_path, pixels=ONES, edit=describe)
    resolution = read_study(paths, Knowledge(calibrations=(measured,))).resolution
    assert resolution is not None
    assert resolution.fwhm_mm == 7.4
    assert resolution.sigma_mm == pytest.approx(0.74)
    assert resolution.words == "as the site measured it for Discovery NM/CT 670, LEHR"
    other = measured.model_copy(update={"collimator": "MEGP"})
    for calibrations in ((CALIBRATION,), (other,)):
        usual = read_study(paths, Knowledge(calibrations=calibrations)).resolution
        assert usual is not None
        assert usual.fwhm_mm == 9.0


@pytest.mark.parametrize(
    ("edit", "fwhm_mm", "sigma_mm", "words"),
    [
        (None, 6.25, 1.4, "no Convolution Kernel (0018,1210) that says how wide it is"),
        (put("ConvolutionKernel", "XYZ Gauss5.00"), 6.93, 0.55, "Convolution Kernel (0018,1210) of 5 mm"),
        (put("ConvolutionKernel", "XYZGAUSSIAN2.00"), 5.2, 0.74, "Convolution Kernel (0018,1210) of 2 mm"),
        (put("ConvolutionKernel", "All-pass"), 6.25, 1.4, "no Convolution Kernel"),
        (put("PixelSpacing", [8.0, 8.0]), 8.0, 1.4, "but no finer than its voxels"),
    ],
)
def test_pet_by_its_filter(tmp_path: Path, edit: Edit | None, fwhm_mm: float, sigma_mm: float, words: str) -> None:
    """The scanner's width and its filter's add as squares; the filter's is what is unsure where it has no name."""
    resolution = read_study(write_pet(tmp_path, edit=edit)).resolution
    assert resolution is not None
    assert resolution.fwhm_mm == pytest.approx(fwhm_mm, abs=0.01)
    assert resolution.sigma_mm == pytest.approx(sigma_mm, abs=0.03)
    assert words in resolution.words


def test_a_map_of_activity_that_says_nothing(tmp_path: Path) -> None:
    """A parametric map may be of any scanner: the widest limits."""
    pixels = np.full((5, 8, 8), 9, np.uint16)

    def edit(dataset: Dataset) -> None:
        dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = [mapping("Bq/ml")]

    paths = write_enhanced(
        tmp_path, sop_class=uid.ParametricMapStorage, modality="OT", pixels=pixels, rescale=None, edit=edit
    )
    resolution = read_study(paths).resolution
    assert resolution is not None
    assert (resolution.fwhm_mm, resolution.words) == (10.5, "nothing says what it was made by")


def test_the_report_says_what_was_assumed(tmp_path: Path) -> None:
    """With its uncertainty and where it is from: what the objects say, or the image where that is finer."""
    grid = np.moveaxis(np.indices((40, 48, 56)), 0, -1) * (4.4, 2.0, 1.5)
    told = {}
    for name, sigma_mm in (("wide", 5.0), ("narrow", 2.9)):
        node = 3000 * np.exp(-((grid - (88.0, 50.0, 42.0)) ** 2).sum(axis=-1) / (2 * sigma_mm**2))
        folder = tmp_path / name
        folder.mkdir()
        paths = write_nm(folder, pixels=node.astype(np.uint16), edit=collimator("LEHR"))
        told[name] = summarise(read_map(paths))["resolution"]
    assert told["wide"] == {"fwhm_mm": 9.0, "sigma_mm": 2.0, "words": "usual for a low-energy collimator (lehr)"}
    assert told["narrow"]["fwhm_mm"] == pytest.approx(6.83, abs=0.5)
    assert told["narrow"]["words"].startswith("a spot of the image is no wider, where 9 mm was assumed")


def test_without_an_activity_there_is_no_resolution(tmp_path: Path) -> None:
    """A study that was refused assumes nothing."""
    found = read_map(write_nm(tmp_path, spacing_mm=None))
    assert (found.resolution, summarise(found)["resolution"]) == (None, None)
