"""What the site has measured of its SPECT cameras: how many counts a second a reconstruction holds per MBq."""

import itertools
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Window = tuple[float, float]
"""Lower and upper limit, keV."""

WINDOW_TOLERANCE_KEV = 2.0
"""Limits of one window are rounded differently from object to object."""

ELEMENTS = {
    "actinium": "Ac",
    "barium": "Ba",
    "caesium": "Cs",
    "cesium": "Cs",
    "cobalt": "Co",
    "copper": "Cu",
    "fluorine": "F",
    "gallium": "Ga",
    "indium": "In",
    "iodine": "I",
    "lutetium": "Lu",
    "technetium": "Tc",
    "thallium": "Tl",
    "zirconium": "Zr",
}


class SpectCalibration(BaseModel):
    """A calibration factor of one camera, collimator, nuclide and energy window, or sum of windows.

    The factor is the sum of all counts of a reconstruction, corrected for attenuation as patients' are, over the
    time that each detector counted and over the activity in the field of view (a phantom of known activity). Of a
    nuclide with several lines the image may be the sum of a window on each (In-111: 171 and 245 keV): the factor
    is that of the sum, and holds for no other choice of windows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera: str = Field(min_length=1, description="Manufacturer's Model Name (0008,1090) of its objects.")
    collimator: str = Field(
        min_length=1, description="Collimator/Grid Name (0018,1180) or Type (0018,1181) of its objects."
    )
    nuclide: str = Field(description="As in nuclides.toml.")
    windows_kev: tuple[tuple[Positive, Positive], ...] = Field(
        min_length=1,
        description="Lower and upper limit of the energy window, or of each that the image is the sum of.",
    )
    cps_per_mbq: Positive = Field(description="Counts a second in the reconstruction for each MBq.")
    resolution_fwhm_mm: Positive | None = Field(
        default=None, description="Width of a point in such a reconstruction, mm; else what is usual is assumed."
    )

    @field_validator("windows_kev")
    @classmethod
    def _require_apart(cls, windows_kev: tuple[Window, ...]) -> tuple[Window, ...]:
        """Order the windows by energy; a window has width, and none counts what another does."""
        ordered = tuple(sorted(windows_kev))
        if any(low >= high for low, high in ordered):
            raise ValueError("windows_kev wants the lower limit of each window first")
        if any(one[1] > other[0] for one, other in itertools.pairwise(ordered)):
            raise ValueError("windows_kev overlap: their counts are not a sum")
        return ordered


def read_nuclide(attributes: Attributes) -> str | None:
    """Read the nuclide as it is written here, ``"Tc-99m"``; None where nothing says one.

    Two are ``"In-111 + Tc-99m"``, which is no nuclide: whose the activity is nobody can say.
    """
    named: set[str] = set()
    for item in attributes.items("RadiopharmaceuticalInformationSequence"):
        texts = [code.text("CodeMeaning") for code in item.items("RadionuclideCodeSequence")]
        spelt = [spell_nuclide(text) for text in [*texts, item.text("Radiopharmaceutical")]]
        named.update(next(([one] for one in spelt if one), []))
    return " + ".join(sorted(named)) or None


def spell_nuclide(text: str) -> str | None:
    """Spell a nuclide as here: ``^99m^Technetium``, ``Tc99m MDP`` and ``99mTc-nanocolloid`` are ``Tc-99m``."""
    plain = text.replace("^", " ").strip()
    for name, symbol in ELEMENTS.items():
        plain = re.sub(rf"\b{name}\b", symbol, plain, flags=re.IGNORECASE)
    symbols = "|".join(sorted(set(ELEMENTS.values()), key=len, reverse=True))
    before = re.search(rf"\b(\d{{1,3}}m?)[\s-]*({symbols})(?![a-z])", plain)
    after = re.search(rf"\b({symbols})[\s-]*(\d{{1,3}}m?)\b", plain)
    if before:
        return f"{before[2]}-{before[1]}"
    return f"{after[1]}-{after[2]}" if after else None


def find_calibration(attributes: Attributes, calibrations: Sequence[SpectCalibration]) -> SpectCalibration:
    """Find the calibration that an NM object was made under.

    Raises
    ------
    SeriesRefused
        Where none fits, with what the object says and where it differs; where several do; where the object does
        not say which windows its frames are of.

    """
    camera = attributes.text("ManufacturerModelName")
    collimators = read_collimators(attributes)
    nuclide = read_nuclide(attributes)
    windows = _read_windows(attributes)
    alike = [
        one
        for one in calibrations
        if one.camera.casefold() == camera.casefold()
        and collimators
        and all(one.collimator.casefold() in names for names in collimators)
        and one.nuclide == nuclide
    ]
    fitting = [one for one in alike if _are_same(one.windows_kev, windows)]
    if len(fitting) == 1:
        return fitting[0]
    name = (
        f"{camera or 'a camera without a name'}, "
        f"{'/'.join(sorted({name for names in collimators for name in names})) or 'no collimator'}, "
        f"{nuclide or 'no nuclide'}, {_spell_windows(windows)}"
    )
    if fitting:
        raise SeriesRefused(f"the site has {len(fitting)} calibrations for {name}, and nothing says which holds")
    others = " and ".join(_spell_windows(one.windows_kev) for one in alike)
    raise SeriesRefused(f"the site has no calibration for {name}{f', but for {others}' if others else ''}")


def _are_same(calibrated: Sequence[Window], windows: Sequence[Window]) -> bool:
    """Say whether windows, both in order of energy, are the same but for rounding."""
    return len(calibrated) == len(windows) and all(
        abs(there - here) <= WINDOW_TOLERANCE_KEV
        for one, other in zip(calibrated, windows, strict=True)
        for there, here in zip(one, other, strict=True)
    )


def _spell_windows(windows: Sequence[Window]) -> str:
    return " + ".join(f"{low:g}-{high:g} keV" for low, high in windows) or "no window"


def read_collimators(attributes: Attributes) -> tuple[frozenset[str], ...]:
    """Read of each detector what its collimator is called: Collimator/Grid Name and Type, in small letters."""
    return tuple(
        frozenset(detector.text(keyword).casefold() for keyword in ("CollimatorGridName", "CollimatorType")) - {""}
        for detector in attributes.items("DetectorInformationSequence")
    )


def _read_windows(attributes: Attributes) -> tuple[Window, ...]:
    """Read the ranges of the energy window that the frames are of, in order of energy.

    An item of Energy Window Information Sequence is one window, and the ranges in it are summed (PS3.3 C.8.4.10).

    Raises
    ------
    SeriesRefused
        Where there are several windows and Energy Window Vector does not say which: the frames may be of one of
        them, or their sum.

    """
    windows = attributes.items("EnergyWindowInformationSequence")
    if len(windows) > 1:
        vector, where = attribute_name("EnergyWindowVector"), attributes.where
        if attributes.value("EnergyWindowVector") is None:
            raise SeriesRefused(
                f"no {vector} in {where} says of which of the {len(windows)} items of "
                f"{attribute_name('EnergyWindowInformationSequence')} its frames are; windows that are summed are "
                f"to stand in one, each in {attribute_name('EnergyWindowRangeSequence')}"
            )
        numbers = set(attributes.integers("EnergyWindowVector"))
        if not numbers <= set(range(1, len(windows) + 1)):
            raise SeriesRefused(f"{vector} in {where} points to none of the {len(windows)} windows")
        windows = tuple(windows[number - 1] for number in sorted(numbers))
    return tuple(
        sorted(
            (limits.number("EnergyWindowLowerLimit"), limits.number("EnergyWindowUpperLimit"))
            for window in windows
            for limits in window.items("EnergyWindowRangeSequence")
        )
    )


def read_duration_s(attributes: Attributes) -> float:
    """Read for how long each detector counted: views of every rotation times their duration.

    Raises
    ------
    SeriesRefused
        Where it is missing or not above zero.

    """
    duration_s = sum(
        rotation.number("ActualFrameDuration") / 1000 * rotation.count("NumberOfFramesInRotation")
        for rotation in attributes.items("RotationInformationSequence")
    )
    if duration_s <= 0:
        raise SeriesRefused(f"{attribute_name('ActualFrameDuration')} is missing or 0 in {attributes.where}")
    return duration_s
