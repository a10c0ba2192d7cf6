"""Objects that lie about themselves: each is refused by name, soon, and costs the others nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from acquisition.studies import Knowledge, SeriesReport, Study, read_study
from acquisition.studies.drawn import MOST_POINTS
from acquisition.studies.structures import _DrawnOver, _fill_plane
from tests.acquisition.studies.enhanced import PER_FRAME, SHARED, group
from tests.acquisition.studies.registered import write_registration
from tests.acquisition.studies.test_calibrations import CALIBRATION, describe
from tests.acquisition.studies.test_drawn import write_structures
from tests.acquisition.studies.written import AXIAL, FRAME, Edit, make_object, nm, save, write_ct, write_nm

ONES = np.full((5, 16, 24), 30, np.uint16)

Change = Callable[[Dataset], None]


def beside_ct(tmp_path: Path, paths: list[Path]) -> tuple[Study, SeriesReport]:
    """Read a study of a CT, which must be used, and of what lies; give the report on that."""
    study = read_study([*write_ct(tmp_path), *paths])
    ct, *others = study.series
    assert ct.accepted
    return study, others[0]


def as_vr(keyword: str, vr: str, value: Any) -> Change:
    """Write an attribute as what it is not."""

    def edit(dataset: Dataset) -> None:
        describe(dataset)
        dataset[Tag(keyword)] = DataElement(Tag(keyword), vr, value)

    return edit


@pytest.mark.parametrize(("vr", "value"), [("US", 5), ("LO", "hello"), ("OB", b"abcd")])
@pytest.mark.parametrize("is_calibrated", [False, True])
@pytest.mark.parametrize(
    ("keyword", "costs_the_series"),
    [
        ("DetectorInformationSequence", True),
        ("RealWorldValueMappingSequence", True),
        ("EnergyWindowInformationSequence", False),
        ("RotationInformationSequence", False),
        ("RadiopharmaceuticalInformationSequence", False),
    ],
)
def test_a_sequence_that_is_none(
    tmp_path: Path, keyword: str, vr: str, value: Any, *, is_calibrated: bool, costs_the_series: bool
) -> None:
    """Where it says the place or the unit the series is refused by its name; else it counts as not said."""
    paths = [*write_ct(tmp_path), *write_nm(tmp_path, pixels=ONES, edit=as_vr(keyword, vr, value))]
    study = read_study(paths, Knowledge(calibrations=(CALIBRATION,) if is_calibrated else ()))
    ct, spect = study.series
    assert (ct.accepted, spect.accepted) == (True, not costs_the_series)
    if costs_the_series:
        assert "is no sequence" in spect.reason
    else:
        assert study.activity is not None
        assert study.activity.unit == "1"
        assert ("is no sequence" in spect.reason) == is_calibrated


@pytest.mark.parametrize("written", [b"1.2.826.\xff\x00", b"1.2.826.\n\x00", b"1." * 33])
def test_a_frame_of_reference_that_is_no_uid_joins_nothing(tmp_path: Path, written: bytes) -> None:
    """Bytes that are no text would read alike where they differ: neither series has a place."""

    def edit(_: int, dataset: Dataset) -> None:
        dataset[Tag("FrameOfReferenceUID")] = DataElement(Tag("FrameOfReferenceUID"), "OB", written)

    paths = [*write_ct(tmp_path, edit=edit), *write_nm(tmp_path, pixels=ONES, edit=lambda one: edit(0, one))]
    study = read_study(paths)
    assert (study.anatomy, study.activity) == (None, None)
    assert all("Frame of Reference UID (0020,0052) in" in one.reason for one in study.series)
    assert all(one.reason.endswith("is no UID") for one in study.series)


def test_pixels_of_no_length(tmp_path: Path) -> None:
    """The element is there and holds nothing."""
    _, other = beside_ct(tmp_path, write_nm(tmp_path, pixels=ONES, edit=nm("PixelData", b"")))
    assert "Pixel Data (7fe0,0010) of nm.dcm holds 0 bytes" in other.reason


def without_end(keyword: str, letters: str) -> Edit:
    """Write a text as one of any length."""

    def edit(_: int, dataset: Dataset) -> None:
        dataset[Tag(keyword)] = DataElement(Tag(keyword), "UT", letters)

    return edit


def test_words_without_end_are_cut(tmp_path: Path) -> None:
    """A description of a million letters, and a number of as many, do not go to every screen."""
    letters = "x" * 10**6
    paths = write_ct(tmp_path, edit=without_end("SeriesDescription", letters))
    edit = as_vr("SpacingBetweenSlices", "UT", letters)
    for report in read_study([*paths, *write_nm(tmp_path, pixels=ONES, edit=edit)]).series:
        assert len(report.description) < 1100
        assert len(report.reason) < 1100


def test_an_identity_without_end_is_none(tmp_path: Path) -> None:
    """Cut, two patients' would be the same."""
    study = read_study(write_ct(tmp_path, edit=without_end("PatientID", "x" * 10**6)))
    assert (study.anatomy, study.patient_id) == (None, "")
    assert "Patient ID (0010,0020) is longer than 1000 letters" in study.series[0].reason


def shifted(x_mm: float) -> np.ndarray:
    """Move along x."""
    motion = np.eye(4)
    motion[0, 3] = x_mm
    return motion


@pytest.mark.parametrize(
    ("motions", "words"),
    [
        ([("1.9", shifted(1e6))], "moves by 1e+06 mm: no frame of reference lies so far off"),
        ([("1.9", shifted(1e300))], "moves by 1e+300 mm"),
        ([(f"1.9.{number}", np.eye(4)) for number in range(100)], "holds 101 items, more than the 100 read"),
    ],
)
def test_registrations_that_cannot_be(tmp_path: Path, motions: list[tuple[str, np.ndarray]], words: str) -> None:
    """A motion out of all reach, and more of them than anybody makes."""
    _, other = beside_ct(tmp_path, write_registration(tmp_path, to_uid=FRAME, motions=motions))
    assert not other.accepted
    assert words in other.reason


@pytest.mark.parametrize(("back_mm", "is_closed"), [(-20.0, True), (10.0, False)])
def test_registrations_in_a_ring_must_close(tmp_path: Path, back_mm: float, *, is_closed: bool) -> None:
    """From one frame over two others and back: where one does not come back to where it was, none is believed."""
    ring = [(FRAME, "1.9.1", 10.0), ("1.9.1", "1.9.2", 10.0), ("1.9.2", FRAME, back_mm)]
    paths = [
        path
        for number, (to_uid, from_uid, x_mm) in enumerate(ring)
        for path in write_registration(
            tmp_path, to_uid=to_uid, motions=[(from_uid, shifted(x_mm))], series=f"1.2.826.6{number}"
        )
    ]
    study, _ = beside_ct(tmp_path, paths)
    assert [one.accepted for one in study.series[1:]] == [is_closed] * 3
    assert ("up to 30.0 mm apart" in study.series[1].reason) != is_closed


def write_segment(
    folder: Path, edit: Change | None = None, *, shape: tuple[int, int, int] = (4, 8, 8), bits: int = 1
) -> list[Path]:
    """Write a segmentation of one lesion in frames 3 mm apart, all of it inside."""
    dataset = make_object(uid.SegmentationStorage, "SEG", "1.2.826.88", 0)
    dataset.SegmentationType, dataset.NumberOfFrames = "BINARY", shape[0]
    shared = group("PixelMeasuresSequence", PixelSpacing=[2.0, 1.5], SliceThickness=3.0)
    shared.update(group("PlaneOrientationSequence", ImageOrientationPatient=list(AXIAL)))
    setattr(dataset, SHARED, Items([shared]))
    frames = []
    for number in range(shape[0]):
        frame = group("PlanePositionSequence", ImagePositionPatient=[-30, -20, 100 + 3 * number])
        frame.update(group("SegmentIdentificationSequence", ReferencedSegmentNumber=1))
        frames.append(frame)
    setattr(dataset, PER_FRAME, Items(frames))
    segment, category = Dataset(), Dataset()
    segment.SegmentNumber, segment.SegmentLabel = 1, "node"
    category.CodeValue, category.CodingSchemeDesignator, category.CodeMeaning = "49755003", "SCT", "Lesion"
    segment.SegmentedPropertyCategoryCodeSequence = Items([category])
    dataset.SegmentSequence = Items([segment])
    dataset.Rows, dataset.Columns = shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
    dataset.PixelData = b"\xff" * (int(np.prod(shape)) * bits // 8)
    if edit:
        edit(dataset)
    return [save(dataset, folder / "seg.dcm")]


def of_another_number(dataset: Dataset) -> None:
    """Let the frames be of a segment that nothing describes."""
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 7


def at_one_place(dataset: Dataset) -> None:
    """Put every frame where the first is."""
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 0]


def without_a_maximum(dataset: Dataset) -> None:
    """Say that every share is of 0: then nothing drawn is all drawn."""
    dataset.SegmentationType, dataset.MaximumFractionalValue = "FRACTIONAL", 0
    dataset.PixelData = bytes(len(dataset.PixelData))


def as_thick(thickness: str) -> Change:
    """Say how thick its slices are."""

    def edit(dataset: Dataset) -> None:
        dataset[SHARED][0].PixelMeasuresSequence[0].SliceThickness = thickness

    return edit


def with_segments(count: int) -> Change:
    """Describe so many more lesions, of no frame."""

    def edit(dataset: Dataset) -> None:
        for number in range(2, count + 2):
            segment = Dataset()
            segment.update(dataset.SegmentSequence[0])
            segment.SegmentNumber = number
            dataset.SegmentSequence.append(segment)

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (of_another_number, "does not describe segment 7, which frames are of"),
        (nm("SegmentSequence", None), "does not describe segment 1"),
        (lambda one: one.SegmentSequence.append(one.SegmentSequence[0]), "a Segment Number (0062,0004) twice"),
        (at_one_place, "two frames of segment node in seg.dcm lie at the same place"),
        (as_thick("1e30"), "Slice Thickness (0018,0050) in seg.dcm makes voxels of 1e+30 mm"),
        (as_thick("0"), "Slice Thickness (0018,0050) in seg.dcm makes voxels of 0 mm"),
        (with_segments(300), "holds 301 regions, 301 of them targets: more than the 1000 and 200 that are read"),
    ],
)
def test_segmentations_that_cannot_be(tmp_path: Path, edit: Change, words: str) -> None:
    """A lesion that nothing describes is not lost in silence; none is drawn that cannot be."""
    study, other = beside_ct(tmp_path, write_segment(tmp_path, edit))
    assert (study.outlines, other.accepted) == ((), False)
    assert words in other.reason


def test_shares_of_nothing_are_no_target(tmp_path: Path) -> None:
    """An empty mask whose greatest share is 0 is not a target as large as the image."""
    study, other = beside_ct(tmp_path, write_segment(tmp_path, without_a_maximum, bits=8))
    assert (study.outlines, other.accepted) == ((), False)
    assert "Maximum Fractional Value (0062,000e) in seg.dcm is (0,)" in other.reason


def test_a_large_segment_keeps_its_volume_and_its_middle(tmp_path: Path) -> None:
    """Of half a million voxels some thousands are kept, evenly; the volume is that of all."""
    shape = (8, 256, 248)
    study, other = beside_ct(tmp_path, write_segment(tmp_path, shape=shape))
    assert other.accepted
    (outline,) = study.outlines
    assert outline.volume_ml == pytest.approx(np.prod(shape) * 2.0 * 1.5 * 3.0 / 1000)
    assert MOST_POINTS <= len(outline.points_mm) < 2 * MOST_POINTS
    middle_mm = np.array([-30 + 1.5 * 123.5, -20 + 2.0 * 127.5, 100 + 3 * 3.5])
    assert outline.centre_mm == pytest.approx(middle_mm, abs=0.5)


LITTLE_MEMORY = """
import sys
from pathlib import Path
from acquisition.apart import limit_memory
from acquisition.studies import read_study
limit_memory(2**29)
for one in read_study([Path(each) for each in sys.argv[1:]]).series:
    print(one.accepted, one.reason)
"""


def test_what_needs_more_memory_than_there_is_is_refused(tmp_path: Path) -> None:
    """An image of 2**27 voxels, its pixels a hole in the file: there is no room for it, and the CT is used."""
    (path,) = write_nm(tmp_path, pixels=np.zeros((128, 8, 8), np.uint16))
    written = path.read_bytes()
    cut = len(written) - 128 * 8 * 8 * 2 - 4
    for keyword in ("0028,0010", "0028,0011"):
        group_number, element = (int(part, 16).to_bytes(2, "little") for part in keyword.split(","))
        tag = group_number + element + b"US" + (2).to_bytes(2, "little")
        written = written.replace(tag + (8).to_bytes(2, "little"), tag + (1024).to_bytes(2, "little"))
    with path.open("wb") as file:
        file.write(written[:cut] + (2**28).to_bytes(4, "little"))
        file.truncate(cut + 4 + 2**28)
    command = [sys.executable, "-c", LITTLE_MEMORY, str(path), *map(str, write_ct(tmp_path))]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603
    assert told == ["False there is not enough memory for its voxels", "True used as anatomy: attenuation in HU"]


def random_contours(span_mm: float, corners: int) -> Change:
    """Scribble each contour of the target across a square."""

    def edit(dataset: Dataset) -> None:
        rng = np.random.default_rng(6)
        for contour in dataset.ROIContourSequence[0].ContourSequence:
            points = np.tile(contour.ContourData[2], (corners, 3)).astype(float)
            points[:, :2] = rng.uniform(-span_mm, span_mm, (corners, 2))
            contour.ContourData = [f"{mm:.1f}" for mm in points.ravel()]

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (random_contours(1e6, 4), "from the origin"),
        (random_contours(300, 6), ""),
    ],
)
def test_contours_that_cannot_be(tmp_path: Path, edit: Change, words: str) -> None:
    """Where they lie out of reach the drawing is refused; a scribble has the area that it has, soon."""
    study, other = beside_ct(tmp_path, write_structures(tmp_path, edit=edit))
    assert other.accepted == (not words)
    assert words in other.reason
    assert len(study.outlines) == (not words)


def test_what_crosses_its_plane_without_end_is_no_contour() -> None:
    """A million corners over hundreds of rows: told before any of it is filled."""
    corners = np.random.default_rng(6).uniform(-300, 300, (100_000, 2))
    with pytest.raises(_DrawnOver):
        _fill_plane([corners], 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_filling_is_the_even_odd_rule(seed: int) -> None:
    """A point is inside where a ray to the right crosses an odd number of edges: looked at one by one."""
    rng = np.random.default_rng(seed)
    loops = [rng.uniform(-20, 20, (corners, 2)) for corners in (3, 7, 12)]
    filled = {tuple(np.round(point, 6)) for point in _fill_plane(loops, 1.0)}
    low = np.min([loop.min(axis=0) for loop in loops], axis=0)
    expected = set()
    for i, j in np.ndindex(40, 40):
        u, v = low + 0.5 + np.array([i, j])
        crossings = 0
        for loop in loops:
            for (u0, v0), (u1, v1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
                if (v0 <= v) != (v1 <= v):
                    crossings += bool(u < u0 + (v - v0) * (u1 - u0) / (v1 - v0))
        if crossings % 2:
            expected.add((round(u, 6), round(v, 6)))
    assert filled == expected
