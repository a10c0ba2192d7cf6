"""What a compressed frame says of its own size, looked at before a decoder takes memory for it.

A decoder believes its code stream, not the attributes around it: some kilobytes may claim gigabytes, and a decoder
in C++ that does not get them ends its process.
"""

import struct
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from acquisition.studies.errors import SeriesRefused

LARGEST_FRAME_PIXELS = 4096 * 4096
"""Of a compressed frame: four times what any CT, SPECT or PET has."""

LARGEST_RLE_SHARE = 2
"""Of the bytes that it decodes to; what cannot be packed at all takes 129 for 128 (PS3.5 G.3.1)."""

RLE_HEADER_BYTES = 64

START_OF_FRAME = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC} | {0xFFF7}
"""Markers that begin with the frame's size: of JPEG (ISO 10918-1, table B.1), and of JPEG-LS (ISO 14495-1)."""

SIZE_OF_IMAGE = b"\xff\x4f\xff\x51"
"""Start of a code stream of JPEG 2000 and the marker SIZ that follows (ISO 15444-1, A.5.1)."""


def require_sizes(dataset: Dataset, syntax: UID, shape: tuple[int, int, int], *, where: str) -> None:
    """Refuse encapsulated pixels of which a frame says another size than ``shape``: frames, rows, columns.

    Raises
    ------
    SeriesRefused
        Where a frame is larger than `LARGEST_FRAME_PIXELS`, its code stream says another size or none, or it holds
        more bytes than so many pixels can need.

    """
    frames, rows, columns = shape
    if rows * columns > LARGEST_FRAME_PIXELS:
        raise SeriesRefused(
            f"a compressed frame of {where} has {rows} x {columns} pixels, over {LARGEST_FRAME_PIXELS}"
        )
    most_rle_bytes = LARGEST_RLE_SHARE * rows * columns * dataset.BitsAllocated // 8 + RLE_HEADER_BYTES
    offsets = (
        (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
        if "ExtendedOffsetTable" in dataset
        else None
    )
    held = generate_frames(dataset.PixelData, number_of_frames=frames, extended_offsets=offsets)
    for number, frame in enumerate(held, start=1):
        if syntax == RLELossless:
            if len(frame) > most_rle_bytes:
                raise SeriesRefused(
                    f"frame {number} of {where} holds {len(frame)} bytes in RLE for {rows} x {columns} pixels"
                )
            continue
        said = _read_size(frame, syntax)
        if said != (rows, columns):
            words = "no size" if said is None else f"{said[0]} x {said[1]}"
            raise SeriesRefused(
                f"the code stream of frame {number} of {where} says {words}, its attributes {rows} x {columns}"
            )


def _read_size(frame: bytes, syntax: UID) -> tuple[int, int] | None:
    """Read rows and columns of a code stream, None where it does not say them."""
    try:
        if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
            for marker, at in _find_markers(frame):
                if marker in START_OF_FRAME:
                    rows, columns = struct.unpack_from(">HH", frame, at + 3)
                    return rows, columns
        elif syntax in JPEG2000TransferSyntaxes:
            # before it may stand the boxes of a JP2 file, which some consoles write
            at = frame.index(SIZE_OF_IMAGE) + len(SIZE_OF_IMAGE)
            right, low, left, top = struct.unpack_from(">4I", frame, at + 4)
            return low - top, right - left
    except (struct.error, ValueError):
        return None
    return None


def _find_markers(frame: bytes) -> Iterator[tuple[int, int]]:
    """Give each marker of a JPEG code stream, and where its segment begins, up to the first scan."""
    at = 2
    while True:
        (marker,) = struct.unpack_from(">H", frame, at)
        if marker == 0xFFFF:  # any number of these may stand before a marker
            at += 1
            continue
        yield marker, at + 2
        (length,) = struct.unpack_from(">H", frame, at + 2)
        at += 2 + max(length, 2)
