"""Stored pixel values, never more of them than the attributes announce."""

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from acquisition.studies.attributes import attribute_name
from acquisition.studies.codestreams import require_sizes
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.objects import StoredObject, logged_warnings

LARGEST_VOLUME_VOXELS = 2**29
"""2 GiB of float32: 2,048 slices of 512 x 512. A larger grid is refused before anything is allocated."""

PIXELS = attribute_name("PixelData")

PIXEL_DATA_TAG = b"\xe0\x7f\x10\x00"

HEADER_BYTES = {ImplicitVRLittleEndian: 8, ExplicitVRLittleEndian: 12}
"""Tag, in explicit syntaxes VR and two reserved bytes, and length in the last four bytes (PS3.5 7.1.2, 7.1.3)."""

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
    stored_bits, high_bit = attributes.optional_number("BitsStored"), attributes.optional_number("HighBit")
    if stored_bits is not None and high_bit is not None and high_bit != stored_bits - 1:
        raise SeriesRefused(
            f"{attribute_name('HighBit')} of {stored.path.name} is {high_bit:.0f} "
            f"and {attribute_name('BitsStored')} {stored_bits:.0f}: one of them lies"
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
    except (SeriesRefused, MemoryError):
        raise
    except Exception as exc:
        # pydicom and its decoders raise whatever broken pixel bytes trip over
        why = str(exc) or type(exc).__name__
        raise SeriesRefused(f"{PIXELS} of {stored.path.name} cannot be read: {why}") from exc
    if values.size != shape[0] * shape[1] * shape[2]:
        raise SeriesRefused(f"{PIXELS} of {stored.path.name} decodes to {values.shape}, not {shape}")
    return values.reshape(shape)


def _decode(stored: StoredObject, shape: tuple[int, int, int]) -> NDArray[np.generic]:
    plain = _read_plain(stored, shape)
    if plain is not None:
        return plain
    dataset = dcmread(stored.path)
    holders = [keyword for keyword in HOLDERS if keyword in dataset]
    if len(holders) != 1:
        raise SeriesRefused(
            f"{PIXELS} is missing or cut short in {stored.path.name}; send it again"
            if not holders
            else f"{stored.path.name} holds both {' and '.join(attribute_name(keyword) for keyword in holders)}"
        )
    announced = (shape[0] * shape[1] * shape[2] * stored.attributes.count("BitsAllocated") + 7) // 8
    held = len(dataset[holders[0]].value or b"")
    if not stored.transfer_syntax_uid.is_compressed and held != announced + announced % 2:
        raise SeriesRefused(f"{PIXELS} of {stored.path.name} holds {held} bytes; {shape} values need {announced}")
    if stored.transfer_syntax_uid.is_compressed:
        require_sizes(dataset, stored.transfer_syntax_uid, shape, where=stored.path.name)
    return np.asarray(dataset.pixel_array)


def _read_plain(stored: StoredObject, shape: tuple[int, int, int]) -> NDArray[np.generic] | None:
    """Read uncompressed whole numbers straight from the file; None where pydicom has to look at them.

    The file was parsed once already; to parse it again for its pixels takes as long as to read them.
    """
    attributes, syntax = stored.attributes, stored.transfer_syntax_uid
    allocated, bits = attributes.count("BitsAllocated"), int(attributes.optional_number("BitsStored") or 0)
    if syntax not in HEADER_BYTES or allocated not in {8, 16, 32} or not 0 < bits <= allocated:
        return None
    is_usual = attributes.optional_number("HighBit") == bits - 1
    if not is_usual or attributes.text("PixelRepresentation") not in {"0", "1"}:
        return None
    is_signed = attributes.text("PixelRepresentation") == "1"
    count = shape[0] * shape[1] * shape[2]
    needed = count * allocated // 8
    with stored.path.open("rb") as file:
        file.seek(stored.pixels_at)
        header = file.read(HEADER_BYTES[syntax])
        held = int.from_bytes(header[-4:], "little")
        if header[:4] != PIXEL_DATA_TAG or held != needed + needed % 2:
            return None  # pydicom says what is wrong with it
        values = np.fromfile(file, dtype=f"<{'i' if is_signed else 'u'}{allocated // 8}", count=count)
    if values.size < count:
        return None
    if bits < allocated:
        # bits above the stored ones may hold anything (PS3.5 8.1.1)
        shift = allocated - bits
        values = (values << shift) >> shift
    return values
