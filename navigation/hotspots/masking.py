"""How near to a hot spot a target might not be found: said, so that no one takes silence for absence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.hotspots.measures import Measured
from navigation.hotspots.need import Need

MASKED_SHARE = 0.001
"""Content of a target as a share of a hot spot's: nodes take up a per cent to a thousandth of an injection."""

SHELL_MM = 5.0
FARTHEST_MM = 60.0

FAR_MM = 40.0
"""From here on it is the noise that decides what is found, or a halo so wide that it is as good as noise."""

SHARE_OF_SHELL = 0.05
"""A shell counts as masked where more than so many of its places are."""

SAID_FROM_MM = 20.0
"""A nearer mask is what the width of a point lets one expect of any spot: persons are not told of it."""

SAID_SHARE = 0.02
"""A spot beside which no such share of it would be found is an ordinary faint one, if it may be no injection site.

Persons are not told of it either: what it may hide is nearly as hot as itself, or too faint for the image.
"""

ROUNDING = 1e-6
"""Of a share that was multiplied by a content and divided by it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """What may be missed beside a spot.

    Attributes
    ----------
    within_mm
        So near to it a target of `share` of its content might not be found.
    share
        `MASKED_SHARE`; where noise lets nothing so faint be found, what might be found farther away. What is
        fainter than that might be missed anywhere.

    """

    within_mm: float
    share: float


def tell_masking(need: Need, point_ml: float, spots: Sequence[Measured]) -> list[Masking]:
    """Find for each spot, hottest first, how near to it a target might be missed.

    A place is the nearest spot's to say; but what a hotter one has said is not counted again.

    Parameters
    ----------
    need
        What amplitude a point needs to be found in the volume.
    point_ml
        Volume by which the amplitude of a point gives its content.
    spots
        Hottest first.

    """
    told: list[Masking] = []
    for number, spot in enumerate(spots):
        places_mm, needs = _around(need, spot)
        distance_mm = np.linalg.norm(places_mm - spot.blob.centre_mm, axis=-1)
        is_own = distance_mm < FARTHEST_MM
        for other_number, other in enumerate(spots):
            if other is not spot:
                apart_mm = np.linalg.norm(places_mm - other.blob.centre_mm, axis=-1)
                is_own &= apart_mm > distance_mm
                if other_number < number:
                    is_own &= apart_mm > told[other_number].within_mm
        distance_mm, needs = distance_mm[is_own], point_ml * needs[is_own]
        sought = max(MASKED_SHARE * spot.content, _far_floor(distance_mm, needs))
        within_mm = _reach_mm(distance_mm, needs > sought, spot.blob.alone_mm)
        share = min(1.0, sought / spot.content)
        told.append(Masking(within_mm=within_mm, share=share))
    return told


def masking_words(masking: Masking, *, is_leading: bool) -> str:
    """Say what may be missed beside a spot; "" where that is no more than any spot hides.

    Of the one that is, or may be, the injection site (``is_leading``) it is said in any case where noise hides
    what nodes may hold of it: its nodes are then missed wherever they lie.
    """
    is_noisy = masking.share > MASKED_SHARE * (1 + ROUNDING)
    is_ordinary = masking.within_mm <= SAID_FROM_MM or masking.share > SAID_SHARE
    if is_ordinary and not (is_leading and is_noisy):
        return ""
    words = (
        f"may hide a node of 1/{math.floor(1 / masking.share + ROUNDING)} of it within {masking.within_mm:.0f} mm"
    )
    return f"{words}, and a fainter one anywhere" if is_noisy else words


def _around(need: Need, spot: Measured) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Places up to `FARTHEST_MM` along each axis, no closer than the shells ask for, and what is needed there."""
    spacing_mm = np.array(need.geometry.spacing_mm)
    step = np.maximum(1, SHELL_MM / 2 // spacing_mm).astype(int)
    reach = np.ceil(FARTHEST_MM / spacing_mm).astype(int)
    middle = np.round(spot.blob.index).astype(int)
    low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, need.geometry.shape)
    across, down, along = (slice(*map(int, each)) for each in zip(low, high, step, strict=True))
    box = (across, down, along)
    return need.geometry.positions_mm(np.moveaxis(np.mgrid[box], 0, -1)), need.amplitude(box)


def _far_floor(distance_mm: NDArray[np.float64], needs: NDArray[np.float32]) -> float:
    """Content that is found in each shell from `FAR_MM` on; 0 where the volume reaches no farther."""
    inner_mm = np.arange(FAR_MM, FARTHEST_MM, SHELL_MM)
    shells = [needs[(distance_mm >= inner) & (distance_mm < inner + SHELL_MM)] for inner in inner_mm]
    return max((float(np.quantile(shell, 1 - SHARE_OF_SHELL)) for shell in shells if shell.size), default=0.0)


def _reach_mm(distance_mm: NDArray[np.float64], is_masked: NDArray[np.bool_], alone_mm: float) -> float:
    """Radius of the shells that are masked from the centre on; nearer than ``alone_mm`` all are."""
    last = round(FARTHEST_MM / SHELL_MM)
    shell = (distance_mm / SHELL_MM).astype(int)
    held = np.bincount(shell, minlength=last)
    masked = np.bincount(shell, weights=is_masked, minlength=last)
    is_bad = masked > SHARE_OF_SHELL * held
    is_bad[: math.ceil(alone_mm / SHELL_MM)] = True
    return last * SHELL_MM if is_bad.all() else float(is_bad.argmin() * SHELL_MM)
