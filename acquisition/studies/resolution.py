"""How wide a point is in a reconstruction: as the site measured it, else as is usual for what the object names."""

import math
import re
from collections.abc import Sequence

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.calibrations import SpectCalibration, find_calibration, read_collimators
from acquisition.studies.errors import SeriesRefused
from navigation.hotspots import Resolution
from navigation.volume import VolumeGeometry

SITE_UNCERTAINTY = 0.1
"""Relative standard deviation of a width that the site measured: a patient's orbit is not the phantom's."""

COLLIMATORS: tuple[tuple[str, str, float, float], ...] = (
    (r"pinh", "a pinhole", 6.0, 3.0),
    (r"^le|low", "a low-energy collimator", 9.0, 2.0),
    (r"^me|medium", "a medium-energy collimator", 12.5, 3.0),
    (r"^he|high", "a high-energy collimator", 15.0, 3.5),
)
"""Pattern of its name or type, what it is, and the usual width and its standard deviation in a reconstruction, mm.

Of parallel holes the width of the whole system at 15 cm, a usual orbit: hypot(d (l + b) / l, 3.8 mm), b the
distance, d and l width and length of a hole, the length less two mean free paths in lead (Cherry, Sorenson,
Phelps, Physics in Nuclear Medicine, 14.C). By the holes of Siemens Symbia, GE Infinia and Philips BrightView in
the collimator table of SIMIND that is 9 to 11 mm for low, 12 to 15 mm for medium and 15 to 16 mm for high
energies; a reconstruction that models the collimator is a fifth finer (10.1007/s12194-012-0168-z). I-131
through a medium-energy one at 16 cm was measured as 17 mm (Clarke, Nucl Med Commun 6:41, 1985), a small pinhole
as 4.9 to 6.1 mm (10.1007/s002590100629).
"""

UNKNOWN_MM, UNKNOWN_SIGMA_MM = 10.5, 4.0
"""Between low and medium energies, and wide enough for what `COLLIMATORS` says of each kind but the last."""

PET_SCANNER_MM, PET_SCANNER_SIGMA_MM = 4.8, 0.8
"""Of a whole-body scanner before any filter: NEMA NU 2, mean of the three directions 1 and 10 cm off the axis.

Eleven scanners of four makers: means of 4.0 to 5.3 mm, 4.8 mm on the whole, single directions of 4.0 to 6.7 mm
(10.1038/s41598-019-51898-z, table 6); another 5.5 mm (10.1118/1.3544655).
"""

PET_FILTER_MM, PET_FILTER_SIGMA_MM = 4.0, 2.0
"""Gaussian filter after reconstruction where none is named: 1 to 7 mm alike are 4 +- 1.7 (PMC12339562)."""


def assume_spect(
    attributes: Attributes, calibrations: Sequence[SpectCalibration], geometry: VolumeGeometry
) -> Resolution:
    """Say how wide a point is in an NM reconstruction."""
    try:
        calibration = find_calibration(attributes, calibrations)
    except SeriesRefused:
        calibration = None
    if calibration is not None and (measured_mm := calibration.resolution_fwhm_mm) is not None:
        words = f"as the site measured it for {calibration.camera}, {calibration.collimator}"
        return Resolution(fwhm_mm=measured_mm, sigma_mm=SITE_UNCERTAINTY * measured_mm, words=words)
    try:
        collimators = read_collimators(attributes)
    except SeriesRefused:
        collimators = ()
    kinds = {_kind(names) for names in collimators}
    kind = kinds.pop() if len(kinds) == 1 else None
    name = attribute_name("CollimatorGridName")
    if kind is None:
        words = f"usual for SPECT: {name} names no collimator that is known"
        return _no_finer(geometry, UNKNOWN_MM, UNKNOWN_SIGMA_MM, words)
    _, words, fwhm_mm, sigma_mm = kind
    said = "/".join(sorted({each for names in collimators for each in names}))
    return _no_finer(geometry, fwhm_mm, sigma_mm, f"usual for {words} ({said})")


def assume_pet(attributes: Attributes, geometry: VolumeGeometry) -> Resolution:
    """Say how wide a point is in a PET: the scanner's own width and that of the filter that the object names."""
    name = attribute_name("ConvolutionKernel")
    try:
        named = re.search(r"gau[a-z]*[\s_:=]*(\d{1,2}(?:\.\d+)?)", attributes.text("ConvolutionKernel").casefold())
    except SeriesRefused:
        named = None
    filter_mm, filter_sigma_mm = (float(named[1]), 0.0) if named else (PET_FILTER_MM, PET_FILTER_SIGMA_MM)
    fwhm_mm = math.hypot(PET_SCANNER_MM, filter_mm)
    # of a sum of squares: each part's uncertainty by its share of the width
    sigma_mm = math.hypot(PET_SCANNER_MM * PET_SCANNER_SIGMA_MM, filter_mm * filter_sigma_mm) / fwhm_mm
    words = f"{name} of {filter_mm:g} mm" if named else f"no {name} that says how wide it is"
    return _no_finer(geometry, fwhm_mm, sigma_mm, f"usual for PET, {words}")


def assume_unknown(geometry: VolumeGeometry) -> Resolution:
    """Say how wide a point is in a map of activity that does not say what it was made by."""
    return _no_finer(geometry, UNKNOWN_MM, UNKNOWN_SIGMA_MM, "nothing says what it was made by")


def _kind(names: frozenset[str]) -> tuple[str, str, float, float] | None:
    return next((kind for kind in COLLIMATORS if any(re.search(kind[0], name) for name in names)), None)


def _no_finer(geometry: VolumeGeometry, fwhm_mm: float, sigma_mm: float, words: str) -> Resolution:
    """Limit a width to the voxels': what is finer they do not show."""
    voxel_mm = max(geometry.spacing_mm)
    if voxel_mm > fwhm_mm:
        return Resolution(fwhm_mm=voxel_mm, sigma_mm=sigma_mm, words=f"{words}, but no finer than its voxels")
    return Resolution(fwhm_mm=fwhm_mm, sigma_mm=sigma_mm, words=words)
