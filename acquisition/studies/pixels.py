"""Stored pixel values, never more of them than the attributes announce."""

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder

from acquisition.studies.attributes import attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.objects import StoredObject, logged_warnings

LARGEST_VOLUME_VOXELS = 2**29
"""2 GiB of float32: 2,048 slices of 512 x 512. A larger grid is refused before anything is allocated."""

PIXELS = attribute_name("PixelData")

HOLDERS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
"""Attributes that may hold the pixels, one of them in an object (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25)."""


def check_pixels(stored: StoredObject, *, frames: int) -> None:
    """Refuse what cannot become grey values, from the attributes alone.

    Raises
    ------
    SeriesRefused
        Where there is colour, an unknown bit depth, too many voxels, or no decoder for the transfer syntax.

    """
    attributes = stored.attributes
    photometric = attributes.required_text("PhotometricInterpretation")
    if attributes.count("SamplesPerPixel") != 1 or photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise SeriesRefused(
            f"{attribute_name('PhotometricInterpretation')} of {stored.path.name} is {photometric}: "
            "colours, no values"
        )
    if (bits := attributes.count("BitsAllocated")) not in {1, 8, 16, 32, 64}:
        raise SeriesRefused(
            f"{attribute_name('BitsAllocated')} of {stored.path.name} is {bits}, not 1, 8, 16, 32 or 64"
        )
    voxels = frames * attributes.count("Rows") * attributes.count("Columns")
    if voxels > LARGEST_VOLUME_VOXELS:
        raise SeriesRefused(
            f"{frames} frames of {attribute_name('Rows')} x {attribute_name('Columns')} make {voxels} voxels, "
            f"more than the {LARGEST_VOLUME_VOXELS} that are read"
        )
    syntax = stored.transfer_syntax_uid
    if not syntax.is_compressed:
        return
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as exc:
        raise SeriesRefused(f"the pixels are in {syntax.name} ({syntax}), which is not read") from exc
    if not decoder.is_available:
        raise SeriesRefused(
            f"the pixels are in {syntax.name} ({syntax}) and no decoder for it is installed; "
            "install radionav[codecs], or let the console send them uncompressed"
        )


def read_pixels(stored: StoredObject, *, frames: int) -> NDArray[np.generic]:
    """Read the stored values, shape (frames, rows, columns), signed where the object says so.

    Raises
    ------
    SeriesRefused
        Where the pixel bytes are missing, of another length than the attributes announce, or broken.

    """
    shape = frames, stored.attributes.count("Rows"), stored.attributes.count("Columns")
    try:
        with logged_warnings(stored.path):
            values = _decode(stored, shape)
    except SeriesRefused:
        raise
    except Exception as exc:
        # pydicom and its decoders raise whatever broken pixel bytes trip over
        raise SeriesRefused(f"{PIXELS} of {stored.path.name} cannot be read: {exc}") from exc
    if values.size != shape[0] * shape[1] * shape[2]:
        raise SeriesRefused(f"{PIXELS} of {stored.path.name} decodes to {values.shape}, not {shape}")
    return values.reshape(shape)


def _decode(stored: StoredObject, shape: tuple[int, int, int]) -> NDArray[np.generic]:
    dataset = dcmread(stored.path)
    holders = [keyword for keyword in HOLDERS if keyword in dataset]
    if len(holders) != 1:
        raise SeriesRefused(
            f"{PIXELS} is missing in {stored.path.name}"
            if not holders
            else f"{stored.path.name} holds both {' and '.join(attribute_name(keyword) for keyword in holders)}"
        )
    announced = (shape[0] * shape[1] * shape[2] * stored.attributes.count("BitsAllocated") + 7) // 8
    held = len(dataset[holders[0]].value)
    if not stored.transfer_syntax_uid.is_compressed and held != announced + announced % 2:
        raise SeriesRefused(f"{PIXELS} of {stored.path.name} holds {held} bytes; {shape} values need {announced}")
    return np.asarray(dataset.pixel_array)
