"""Stored values into what they mean: slope times stored plus intercept, as float32."""

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import attribute_name
from acquisition.studies.errors import SeriesRefused

GREATEST = 1e12
"""Values beyond are of a slope that lies: 1 GBq in 1 mL, 1,000 times over."""

EXACT_BELOW = 2.0**24
"""Whole numbers below are exact in float32."""


def rescale(
    pixels: NDArray[np.generic],
    slope: float,
    intercept: float,
    *,
    where: str,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Rescale (PS3.3 C.11.1) in double precision, rounded once to float32.

    ``where`` names the object.

    Small whole numbers, as of most CT, are scaled in float32 itself: they come out the same, in half the time.

    Raises
    ------
    SeriesRefused
        Where a value is not finite, or beyond `GREATEST`.

    """
    values = np.empty(pixels.shape, dtype=np.float32) if out is None else out
    is_whole = pixels.dtype.kind in "iu"
    is_small = (
        is_whole and pixels.dtype.itemsize <= 2 and float(slope).is_integer() and float(intercept).is_integer()
    )
    if is_small and abs(slope) * 65536 + abs(intercept) < EXACT_BELOW:
        # a cast, and float32 in place: adding to whole numbers into floats would go through a buffer, bit by bit
        np.copyto(values, pixels, casting="same_kind")
        if slope != 1:
            values *= np.float32(slope)
        if intercept != 0:
            values += np.float32(intercept)
        return values
    scaled = pixels.astype(np.float64)
    scaled *= slope
    scaled += intercept
    # asked so that what is not a number is looked at, and refused
    is_likely = abs(slope) * 2.0 ** (8 * pixels.dtype.itemsize) + abs(intercept) < GREATEST
    if not (is_whole and is_likely):
        smallest, largest = float(scaled.min()), float(scaled.max())
        if not (smallest > -GREATEST and largest < GREATEST):
            raise SeriesRefused(
                f"{attribute_name('PixelData')} of {where} holds values that cannot be, by a slope of {slope:g} "
                f"and an intercept of {intercept:g}: from {smallest:g} to {largest:g}"
            )
    values[...] = scaled
    return values
