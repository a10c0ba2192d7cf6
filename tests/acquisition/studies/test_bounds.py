"""What lies costs next to nothing before it is refused, and ten thousand frames cost what their voxels do.

Processor time and memory are measured with every allocation traced, which makes Python some four times as slow.
"""

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ParametricMapStorage

from acquisition.studies import Study, read_study
from tests.acquisition.studies.enhanced import SHARED, write_enhanced
from tests.acquisition.studies.test_multiframe import is_corrected
from tests.acquisition.studies.written import (
    map_to,
    nm,
    nm_detector,
    put,
    refused,
    several_times,
    write_ct,
    write_nm,
    write_pet,
)

REFUSED_S, REFUSED_MB = 1.0, 4.0
"""What a refusal takes at most, whatever rows, bits and frames are announced."""

READ_S, BYTES_OF_GROUPS = 60.0, 10e3
"""What reading 10,000 frames takes at most, and what the functional groups of one frame take."""

FRAMES, PLACE = 10_000, (7777, 3, 5)
MANY = np.zeros((FRAMES, 24, 24), np.uint16)
MANY[PLACE] = 100

Writer = Callable[[Path], list[Path]]


def measured(paths: list[Path]) -> tuple[Study, float, float]:
    """Read a study; gives it with the processor time, s, and the most memory, MB, that it took."""
    tracemalloc.start()
    started_s = time.process_time()
    try:
        study = read_study(paths)
        return study, time.process_time() - started_s, tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def no_number(keyword: str) -> Callable[[Dataset], None]:
    """Write NaN as a decimal text, which a writer that checks would not."""

    def edit(dataset: Dataset) -> None:
        dataset[keyword] = DataElement(Tag(keyword), "DS", "NaN", validation_mode=config.IGNORE)

    return edit


def no_position(dataset: Dataset) -> None:
    """Write a position that is no number into the detector item of an NM object."""
    tag = Tag("ImagePositionPatient")
    dataset.DetectorInformationSequence[0][tag] = DataElement(
        tag, "DS", ["NaN", "0", "0"], validation_mode=config.IGNORE
    )


def in_shared(keyword: str, edit: Callable[[Dataset], None]) -> Callable[[Dataset], None]:
    """Change a group that all frames share."""
    return lambda dataset: edit(getattr(dataset[SHARED][0], keyword)[0])


def ct(*edits: Callable[[Dataset], None]) -> Writer:
    """Change every slice of a CT."""
    return lambda folder: write_ct(folder, edit=lambda _, dataset: several_times(*edits)(dataset))


def pet(*edits: Callable[[Dataset], None]) -> Writer:
    """Change every slice of a PET."""
    return lambda folder: write_pet(folder, edit=lambda _, dataset: several_times(*edits)(dataset))


def spect(*edits: Callable[[Dataset], None]) -> Writer:
    """Change an NM reconstruction."""
    return lambda folder: write_nm(folder, edit=several_times(*edits))


def enhanced(*edits: Callable[[Dataset], None]) -> Writer:
    """Change an Enhanced CT object."""
    return lambda folder: write_enhanced(folder, edit=several_times(*edits))


def hole(folder: Path) -> list[Path]:
    """Write a parametric map with one voxel that is no number."""
    pixels = np.ones((5, 8, 8), np.float32)
    pixels[2, 3, 4] = np.nan
    return write_enhanced(folder, sop_class=ParametricMapStorage, pixels=pixels, rescale=None, edit=is_corrected)


SPACING, PIXELS = "Pixel Spacing (0028,0030) in ", "Pixel Data (7fe0,0010) "
LIES: dict[str, tuple[Writer, str]] = {
    "rows of a CT": (ct(nm("Rows", 65_535)), "(1, 65535, 7) values need 917490"),
    "rows of a PET": (pet(nm("Rows", 65_535)), "(1, 65535, 7) values need 917490"),
    "rows of an NM": (spect(nm("Rows", 65_535)), "(128, 65535, 24) values need 402647040"),
    "rows of an enhanced CT": (enhanced(nm("Rows", 65_535)), "(5, 65535, 7) values need 4587450"),
    "rows and columns": (
        spect(nm("Rows", 65_535), nm("Columns", 65_535)),
        "more than the 536870912 that are read",
    ),
    "no rows": (ct(nm("Rows", 0)), "Rows (0028,0010) in 1.2.826.10.0.0.dcm is (0,)"),
    "bits allocated": (ct(nm("BitsAllocated", 64)), "holds 84 bytes; (1, 6, 7) values need 336"),
    "bits allocated that are none": (spect(nm("BitsAllocated", 65_535)), "of nm.dcm is 65535, not 1, 8, 16, 32"),
    "more bits stored than allocated": (ct(nm("BitsStored", 20), nm("HighBit", 19)), "Bits Stored' value of '20'"),
    "no bits stored": (
        spect(nm("BitsStored", 0), nm("HighBit", 0)),
        "Bits Stored (0028,0101) 0: one of them lies",
    ),
    "a sign that is none": (ct(nm("PixelRepresentation", 7)), "Pixel Representation' value of '7' is invalid"),
    "no pixels in a CT": (ct(nm("PixelData", None)), PIXELS + "is missing or cut short in 1.2.826.10.0.0.dcm"),
    "no pixels in a PET": (pet(nm("PixelData", None)), PIXELS + "is missing or cut short in 1.2.826.20.0.0.dcm"),
    "no pixels in an NM": (spect(nm("PixelData", None)), PIXELS + "is missing or cut short in nm.dcm"),
    "no pixels in an enhanced CT": (enhanced(nm("PixelData", None)), PIXELS + "is missing or cut short in"),
    "no spacing of a CT": (ct(nm("PixelSpacing", [0, 0])), SPACING + "1.2.826.10.0.0.dcm is not above zero"),
    "spacing below zero of a CT": (ct(nm("PixelSpacing", [2, -2])), "1.2.826.10.0.0.dcm is not above zero"),
    "no spacing of a PET": (pet(nm("PixelSpacing", [0, 2])), SPACING + "1.2.826.20.0.0.dcm is not above zero"),
    "spacing below zero of a PET": (pet(nm("PixelSpacing", [-2, 2])), "1.2.826.20.0.0.dcm is not above zero"),
    "no spacing of an NM": (spect(nm("PixelSpacing", [2, 0])), SPACING + "nm.dcm is not above zero"),
    "spacing below zero of an NM": (spect(nm("PixelSpacing", [-2, 2])), SPACING + "nm.dcm is not above zero"),
    "no distance of an NM": (spect(nm("SpacingBetweenSlices", 0)), "Slices (0018,0088) is 0 in nm.dcm"),
    "no spacing of an enhanced CT": (
        enhanced(in_shared("PixelMeasuresSequence", nm("PixelSpacing", [0, 0]))),
        SPACING + "1.2.826.40.dcm is not above zero",
    ),
    "spacing below zero of an enhanced CT": (
        enhanced(in_shared("PixelMeasuresSequence", nm("PixelSpacing", [-1, 1]))),
        SPACING + "1.2.826.40.dcm is not above zero",
    ),
    "10,000 frames of an NM": (
        spect(nm("NumberOfFrames", FRAMES), nm("SliceVector", list(range(1, FRAMES + 1)))),
        "holds 98304 bytes; (10000, 16, 24) values need 7680000",
    ),
    "2,147,483,647 frames of an NM": (spect(nm("NumberOfFrames", 2**31 - 1)), "more than the 536870912 that are"),
    "10,000 frames of an enhanced CT": (enhanced(nm("NumberOfFrames", FRAMES)), "holds 5 items, Number of Frames"),
    "NaN slope of a CT": (ct(no_number("RescaleSlope")), "Rescale Slope (0028,1053) in 1.2.826.10.0.0.dcm holds"),
    "NaN slope of a PET": (
        pet(no_number("RescaleSlope")),
        "Rescale Slope (0028,1053) in 1.2.826.20.0.0.dcm",
    ),
    "NaN slope of an NM": (spect(no_number("RescaleSlope")), "Rescale Slope (0028,1053) in nm.dcm holds"),
    "NaN slope of an enhanced CT": (
        enhanced(in_shared("PixelValueTransformationSequence", no_number("RescaleSlope"))),
        "Rescale Slope (0028,1053) in 1.2.826.40.dcm holds",
    ),
    "NaN slope of a mapping": (
        spect(map_to("Bq/ml", slope=float("nan"))),
        "Real World Value Slope (0040,9225) in nm.dcm holds",
    ),
    "NaN voxel": (hole, PIXELS + "of 1.2.826.40.dcm holds values that cannot be"),
    "NaN position": (
        spect(no_position),
        "Image Position (Patient) (0020,0032) in nm.dcm holds a value that is not finite",
    ),
    "no position": (spect(nm_detector("ImagePositionPatient")), "(0020,0032) is missing or empty in nm.dcm"),
    "one slope of five": (
        lambda folder: write_ct(folder, edit=put("RescaleSlope", None, only=4)),
        "Rescale Slope (0028,1053) is missing or empty in 1.2.826.10.3.4.dcm",
    ),
}


@pytest.mark.parametrize(("write", "words"), LIES.values(), ids=LIES.keys())
def test_what_lies_is_refused_for_next_to_nothing(tmp_path: Path, write: Writer, words: str) -> None:
    """By the attribute and the object, within a second and in few megabytes; a CT beside it is used."""
    paths = write(tmp_path)
    assert words in refused(paths)
    study, took_s, took_mb = measured(paths)
    assert study.series[0].volume is None
    assert took_s < REFUSED_S
    assert took_mb < REFUSED_MB
    (tmp_path / "ct").mkdir()
    assert read_study([*paths, *write_ct(tmp_path / "ct", series="1.2.826.11")]).anatomy is not None


@pytest.mark.parametrize(
    ("write", "bytes_a_voxel"),
    [
        pytest.param(lambda folder: write_nm(folder, pixels=MANY, spacing_mm=0.5), 7, id="NM"),
        pytest.param(
            lambda folder: write_nm(folder, pixels=MANY, spacing_mm=0.5, edit=nm("RescaleSlope", 2.5)),
            15,
            id="NM with a slope",
        ),
        pytest.param(lambda folder: write_enhanced(folder, pixels=MANY, step_mm=0.5), 7, id="enhanced CT"),
    ],
)
def test_ten_thousand_frames_cost_what_their_voxels_do(tmp_path: Path, write: Writer, bytes_a_voxel: int) -> None:
    """Those that are there are read, each at its place: stored and scaled voxels, one copy in double at most."""
    study, took_s, took_mb = measured(write(tmp_path))
    volume = study.anatomy or study.activity
    assert volume is not None
    assert volume.values.argmax() == np.ravel_multi_index(PLACE, MANY.shape)
    assert took_s < READ_S
    groups = 0 if study.activity else BYTES_OF_GROUPS * len(MANY)
    assert took_mb < (bytes_a_voxel * MANY.size + groups) / 1e6
