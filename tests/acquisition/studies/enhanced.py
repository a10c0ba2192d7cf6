"""Multi-frame objects with functional groups, written with pydicom alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from tests.acquisition.studies.written import AXIAL, make_object, save, set_pixels, slice_positions_mm

PER_FRAME, SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"


def group(keyword: str, **values: object) -> Dataset:
    """Make a functional group's item with these attributes."""
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    holder = Dataset()
    setattr(holder, keyword, Items([item]))
    return holder


def mapping(unit: str, *, slope: float = 12.5, last: float = 65535.0) -> Dataset:
    """Make a linear real-world value mapping."""
    code, item = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", unit
    item.MeasurementUnitsCodeSequence = Items([code])
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, 0.0
    item.DoubleFloatRealWorldValueFirstValueMapped = 0.0
    item.DoubleFloatRealWorldValueLastValueMapped = last
    return item


def write_enhanced(
    folder: Path,
    *,
    sop_class: uid.UID = uid.EnhancedCTImageStorage,
    modality: str = "CT",
    series: str = "1.2.826.40",
    pixels: NDArray[np.generic] | None = None,
    cosines: Sequence[float] = AXIAL,
    rescale: tuple[float, float, str] | None = (1.0, -1024.0, "HU"),
    step_mm: float = 3.0,
    edit: Callable[[Dataset], None] | None = None,
) -> list[Path]:
    """Write one object; its frames stand in another order than they lie."""
    if pixels is None:
        pixels = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    dataset = make_object(sop_class, modality, series, 0)
    del dataset.AcquisitionDate, dataset.AcquisitionTime
    dataset.AcquisitionDateTime = "20261122093000+0100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.NumberOfFrames = len(pixels)
    shared = group("PixelMeasuresSequence", PixelSpacing=[2.0, 1.5], SliceThickness=9.0)
    shared.update(group("PlaneOrientationSequence", ImageOrientationPatient=list(cosines)))
    if rescale is not None:
        slope, intercept, kind = rescale
        shared.update(
            group(
                "PixelValueTransformationSequence",
                RescaleSlope=slope,
                RescaleIntercept=intercept,
                RescaleType=kind,
            )
        )
    setattr(dataset, SHARED, Items([shared]))
    dimension = Dataset()
    dimension.DimensionIndexPointer, dimension.FunctionalGroupPointer = Tag(0x00209057), Tag(0x00209111)
    dataset.DimensionIndexSequence = Items([dimension])
    order = np.roll(np.arange(len(pixels)), 2)
    positions_mm = slice_positions_mm(cosines, len(pixels), step_mm)
    frames = []
    for place in order:
        frame = group("PlanePositionSequence", ImagePositionPatient=[f"{mm:.6g}" for mm in positions_mm[place]])
        frame.update(
            group(
                "FrameContentSequence",
                DimensionIndexValues=[int(place) + 1],
                InStackPositionNumber=int(place) + 1,
                StackID="1",
            )
        )
        frames.append(frame)
    setattr(dataset, PER_FRAME, Items(frames))
    held = pixels[order]
    if held.dtype.kind == "f":
        set_pixels(dataset, np.zeros(held.shape, np.uint16))
        del dataset.PixelData, dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit
        dataset.BitsAllocated = 8 * held.dtype.itemsize
        if held.dtype.itemsize == 4:
            dataset.FloatPixelData = held.tobytes()
        else:
            dataset.DoubleFloatPixelData = held.tobytes()
    else:
        set_pixels(dataset, held)
    if edit:
        edit(dataset)
    return [save(dataset, folder / f"{series}.dcm")]
