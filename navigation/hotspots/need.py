"""What a point needs to be found at a place of a volume: enough above the noise, and a hill where it lies."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from navigation.hotspots.blobs import LEAST_PROMINENCE, Layer
from navigation.hotspots.noise import FAINTEST
from navigation.volume import Volume

LEFT_OF_CUT_OFF = 3.0
"""Amplitude, in least values that are not 0, of which a blob keeps enough where a console has set less to 0."""

LEAST_LEVEL = 1e-30
"""Of a volume of zeros, whose logarithm there is none."""


class Need:
    """What amplitude a point needs, told of boxes of a volume: of all of it that takes as long as the search.

    Parameters
    ----------
    volume
        What was searched.
    layer
        Its finest scale.
    least_snr
        Of a blob that counts as found.

    """

    def __init__(self, volume: Volume, layer: Layer, least_snr: float) -> None:
        self.geometry = volume.geometry
        self._values, self._layer, self._least_snr = volume.values, layer, least_snr
        self._least_level = np.float32(max(FAINTEST * float(layer.smooth.max()), LEAST_LEVEL))
        sizes = np.abs(volume.values)
        least = float(np.min(sizes, where=sizes > 0, initial=math.inf))
        self._cut_off = 0.0 if sizes.all() or math.isinf(least) else LEFT_OF_CUT_OFF * least

    def amplitude(self, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Give what a blob of the width that the layer fits needs, at each voxel of a box, to be found there.

        It must stand ``least_snr`` above the noise, its own included, and above what the shape of its surroundings
        takes from the response; and be a hill on the slope where it lies: how prominent a blob is, is seen on the
        sphere at twice its width, a quarter of which lies half of the radius up the slope, or farther.
        """
        layer = self._layer
        own = self._least_snr**2 * layer.told.per_mean * layer.unit_height / (2 * layer.unit_response)
        by_noise = own + np.sqrt(own**2 + (self._least_snr * layer.noise(box)) ** 2)
        by_noise -= np.minimum(layer.response[box], 0)
        by_slope = self._rise(box) / (LEAST_PROMINENCE * layer.unit_fall)
        by_cut_off = np.where(self._values[box] == 0, self._cut_off, 0.0)
        needed = np.maximum(np.maximum(by_slope, by_noise / layer.unit_response), by_cut_off)
        return np.asarray(needed, dtype=np.float32)

    def _rise(self, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """How much higher it is up the slope, half of the radius of that sphere away."""
        spacing_mm, up_mm = self.geometry.spacing_mm, self._layer.seen_sigma_mm
        reach = [math.ceil(up_mm / step_mm) for step_mm in spacing_mm]
        wide = tuple(
            slice(max(0, side.start - far), side.stop + far) for side, far in zip(box, reach, strict=True)
        )
        within = tuple(
            slice(side.start - around.start, side.stop - around.start, side.step)
            for side, around in zip(box, wide, strict=True)
        )
        smooth = self._layer.smooth[wide]
        highest = ndimage.maximum_filter(smooth, size=tuple(2 * far + 1 for far in reach))
        # the logarithm of a spot's slope is smooth where the slope itself falls by half in a voxel
        level = np.maximum(smooth, self._least_level)
        slopes = np.gradient(np.log(level), *spacing_mm)
        steepness = np.sqrt(sum(slope[within] ** 2 for slope in slopes))
        by_slope = level[within] * np.expm1(np.minimum(up_mm * steepness, 80))
        return np.asarray(np.minimum(by_slope, highest[within] - smooth[within]), dtype=np.float32)
