"""Hot spots of a SPECT or PET volume as candidate targets: found, measured, and told from the injection site."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.hotspots.blobs import FWHM_PER_SIGMA, find_blobs
from navigation.hotspots.masking import masking_words, tell_masking
from navigation.hotspots.measures import measure
from navigation.hotspots.need import Need
from navigation.hotspots.recovery import activity_factor
from navigation.hotspots.resolution import Resolution, sharpen
from navigation.volume import Volume, coarsen

Kind = Literal["target", "injection", "organ"]

INJECTION_RATIO = 20.0
"""How many times hotter than every other spot the injection site is: nodes take up a per cent or so of it."""

LEAST_INJECTION_MBQ = 3.0
"""A cooler spot is no injection site, however faint the others are.

Nodes hold a megabecquerel or two at most; of 40 to 150 MBq injected more than this is left a day later.
"""


STEPS_PER_WIDTH = 8.0
"""Voxels across the width of a point: finer ones hold no more, and each costs the more the finer it is."""

MOST_VOXELS = 40_000_000
"""That are searched, in one to two minutes; of a larger image blocks of neighbours are averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hotspot:
    """A spot that stands out of its surroundings; always a proposal, for a person to confirm.

    Attributes
    ----------
    name
        ``"target 1"``, ``"target 2"`` ... by falling content, or ``"injection"``.
    kind
        ``"injection"`` for the hottest where it holds more than `INJECTION_RATIO` times each other, and
        `LEAST_INJECTION_MBQ` where the activity is known; else ``"target"``.
    centre_mm
        LPS mm, shape (3,); read-only.
    covariance_mm2
        Of the centre: width of the blob over its signal-to-noise, the voxel, and how well the image is
        registered to the anatomy; 3 x 3, read-only. Movement of tissue comes on top.
    activity_mbq
        Content above the surroundings where the volume is in Bq/mL, else None.
    activity_factor
        The content is known to a factor of this, 1 sigma.
    peak, mean
        Value of the hottest voxel, and mean within the 50 % outline, in the volume's unit.
    volume_ml, volume_41_ml, volume_gradient_ml
        Volume above half of the peak, the surroundings taken off; above 41 % of the peak as it is; within the
        steepest fall.
    relative_to_hottest
        Content as a share of the hottest spot's.
    masked_within_mm, masked_share
        So near to it a target with this share of its content might not be found. The share is a thousandth or,
        where noise lets nothing so faint be found, what might be found farther away: then a fainter one might be
        missed anywhere. None of what was not found in an image.
    masking
        The same in words for persons; "" where it is no more than any spot hides.
    proposal
        What a target may be instead, and why, for a person to confirm: ``"bladder?"``; "" where nothing is
        proposed. It stays a target until then.
    origin
        ``"found"``, or where a person drew it.

    """

    name: str
    kind: Kind
    centre_mm: NDArray[np.float64]
    covariance_mm2: NDArray[np.float64]
    activity_mbq: float | None
    activity_factor: float
    peak: float
    volume_ml: float
    relative_to_hottest: float
    mean: float = math.nan
    volume_41_ml: float = math.nan
    volume_gradient_ml: float = math.nan
    masked_within_mm: float | None = None
    masked_share: float | None = None
    masking: str = ""
    proposal: str = ""
    origin: str = "found"

    def __post_init__(self) -> None:
        self.centre_mm.flags.writeable = False
        self.covariance_mm2.flags.writeable = False


def find_hotspots(
    volume: Volume,
    *,
    resolution: Resolution,
    registration_sigma_mm: float = 0.0,
    least_snr: float = 6.5,
    at_most: int = 32,
) -> tuple[Hotspot, ...]:
    """Find the hot spots of a volume, hottest first.

    A spot whose centre lies within a sigma of the volume's border is not found: half of it is outside.

    Parameters
    ----------
    volume
        Activity concentration or relative values, none of them NaN.
    resolution
        Of the volume.
    registration_sigma_mm
        How well the volume lies in the anatomy's space, a standard deviation an axis.
    least_snr
        Smallest ratio of a blob's response to the noise where it lies; maxima of pure Poisson noise stay
        below 5.9 from 0.02 to 50 counts a voxel.
    at_most
        How many are kept.

    Raises
    ------
    NavigationError
        Where the volume holds values that are not finite.

    """
    if not np.isfinite(volume.values).all():
        raise NavigationError("the volume holds values that are not finite")
    if not 0 <= registration_sigma_mm < math.inf:
        raise NavigationError(f"registration_sigma_mm is {registration_sigma_mm}: wants 0 or more")
    sigma_mm = resolution.fwhm_mm / FWHM_PER_SIGMA
    search = find_blobs(volume, sigma_mm, least_snr, at_most)
    blobs = search.blobs
    measured = [measure(volume, blob, blobs) for blob in blobs]
    ordered = sorted((one for one in measured if one.content > 0), key=lambda one: -one.content)
    point_ml = (2 * math.pi) ** 1.5 * sigma_mm**3 / 1000
    need = Need(volume, search.finest, least_snr)
    maskings = tell_masking(need, point_ml, ordered)
    contents = [one.content for one in ordered]
    has_injection, is_led = _has_injection(volume, contents), _may_have_injection(volume, contents)
    voxel_mm = volume.geometry.patient_from_voxel[:3, :3]
    blur_mm2 = voxel_mm @ voxel_mm.T / 12.0 + registration_sigma_mm**2 * np.eye(3)
    spots = []
    for place, (one, masking) in enumerate(zip(ordered, maskings, strict=True)):
        is_injection = has_injection and place == 0
        located_mm = one.blob.sigma_mm / one.blob.snr
        # a uniform ball has the variance r^2 / 5 along each axis, and the resolution's comes on top
        point_mm = resolution.widest_mm / FWHM_PER_SIGMA
        diameter_mm = 2 * math.sqrt(5 * max(0.0, one.blob.sigma_mm**2 - point_mm**2))
        factor = activity_factor(diameter_mm, resolution)
        spots.append(
            Hotspot(
                name="injection" if is_injection else f"target {place + 1 - has_injection}",
                kind="injection" if is_injection else "target",
                centre_mm=one.blob.centre_mm,
                covariance_mm2=located_mm**2 * np.eye(3) + blur_mm2,
                activity_mbq=one.content / 1e6 if volume.unit == "Bq/mL" else None,
                activity_factor=math.exp(math.hypot(math.log(factor), 1.0 / one.blob.snr)),
                peak=one.peak,
                mean=one.mean,
                volume_ml=one.volume_ml,
                volume_41_ml=one.volume_41_ml,
                volume_gradient_ml=one.volume_gradient_ml,
                relative_to_hottest=one.content / ordered[0].content,
                masked_within_mm=masking.within_mm,
                masked_share=masking.share,
                masking=masking_words(masking, is_leading=is_led and place == 0),
            )
        )
    return tuple(spots)


def find_candidates(
    volume: Volume, assumed: Resolution, *, registration_sigma_mm: float = 0.0
) -> tuple[tuple[Hotspot, ...], Resolution]:
    """Find the hot spots at the resolution that is assumed; again where they show that it is finer, and at that.

    Parameters and errors are `find_hotspots`'. Of an image of over `MOST_VOXELS`, or one far finer than its
    resolution, blocks of voxels are averaged first.
    """
    volume = coarsen(volume, assumed.fwhm_mm / STEPS_PER_WIDTH, at_most=MOST_VOXELS)
    spots = find_hotspots(volume, resolution=assumed, registration_sigma_mm=registration_sigma_mm)
    shown = sharpen(assumed, volume, [spot.centre_mm for spot in spots])
    if shown is not assumed:
        spots = find_hotspots(volume, resolution=shown, registration_sigma_mm=registration_sigma_mm)
    return spots, shown


def _has_injection(volume: Volume, contents: Sequence[float]) -> bool:
    """Whether the first, hottest content is an injection site's."""
    return len(contents) > 1 and _may_have_injection(volume, contents)


def _may_have_injection(volume: Volume, contents: Sequence[float]) -> bool:
    """Whether it may be one's, also where its nodes were all missed and nothing tells it from a node."""
    if not contents or (len(contents) > 1 and contents[0] <= INJECTION_RATIO * contents[1]):
        return False
    return volume.unit != "Bq/mL" or contents[0] > LEAST_INJECTION_MBQ * 1e6
