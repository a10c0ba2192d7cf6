"""What the site has measured of its SPECT cameras: how many counts a second a reconstruction holds per MBq."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

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
    """A calibration factor of one camera, collimator, nuclide and window.

    The factor is the sum of all counts of a reconstruction, corrected for attenuation as patients' are, over the
    time that each detector counted and over the activity in the field of view (a phantom of known activity).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera: str = Field(min_length=1, description="Manufacturer's Model Name (0008,1090) of its objects.")
    collimator: str = Field(
        min_length=1, description="Collimator/Grid Name (0018,1180) or Type (0018,1181) of its objects."
    )
    nuclide: str = Field(description="As in nuclides.toml.")
    window_kev: tuple[Positive, Positive] = Field(description="Lower and upper limit of the energy window.")
    cps_per_mbq: Positive = Field(description="Counts a second in the reconstruction for each MBq.")
    resolution_fwhm_mm: Positive | None = Field(
        default=None, description="Width of a point in such a reconstruction, mm; else what is usual is assumed."
    )


def read_nuclide(attributes: Attributes) -> str | None:
    """Read the nuclide as it is written here, ``"Tc-99m"``; None where nothing says one, or it is two."""
    named: set[str] = set()
    for item in attributes.items("RadiopharmaceuticalInformationSequence"):
        texts = [code.text("CodeMeaning") for code in item.items("RadionuclideCodeSequence")]
        spelt = [spell_nuclide(text) for text in [*texts, item.text("Radiopharmaceutical")]]
        named.update(next(([one] for one in spelt if one), []))
    return named.pop() if len(named) == 1 else None


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
        Where none fits, with what the object says and where it differs.

    """
    camera = attributes.text("ManufacturerModelName")
    collimators = read_collimators(attributes)
    nuclide = read_nuclide(attributes)
    windows = _read_windows(attributes)
    for one in calibrations:
        if (
            one.camera.casefold() == camera.casefold()
            and collimators
            and all(one.collimator.casefold() in names for names in collimators)
            and one.nuclide == nuclide
            and len(windows) == 1
            and all(
                abs(here - there) <= WINDOW_TOLERANCE_KEV
                for here, there in zip(one.window_kev, windows[0], strict=True)
            )
        ):
            return one
    said = ", ".join(f"{low:g}-{high:g} keV" for low, high in windows) or "no window"
    raise SeriesRefused(
        f"the site has no calibration for {camera or 'a camera without a name'}, "
        f"{'/'.join(sorted({name for names in collimators for name in names})) or 'no collimator'}, "
        f"{nuclide or 'no one nuclide'}, {said}"
    )


def read_collimators(attributes: Attributes) -> tuple[frozenset[str], ...]:
    """Read of each detector what its collimator is called: Collimator/Grid Name and Type, in small letters."""
    return tuple(
        frozenset(detector.text(keyword).casefold() for keyword in ("CollimatorGridName", "CollimatorType")) - {""}
        for detector in attributes.items("DetectorInformationSequence")
    )


def _read_windows(attributes: Attributes) -> list[tuple[float, float]]:
    """Read the limits of the energy window that the frames are of, of every window where nothing tells which."""
    windows = attributes.items("EnergyWindowInformationSequence")
    pointed = attributes.value("EnergyWindowVector") is not None
    numbers = set(attributes.integers("EnergyWindowVector")) if pointed else set()
    if numbers and len(windows) > 1:
        if not numbers <= set(range(1, len(windows) + 1)):
            raise SeriesRefused(
                f"{attribute_name('EnergyWindowVector')} in {attributes.where} points to none of the "
                f"{len(windows)} windows"
            )
        windows = tuple(windows[number - 1] for number in sorted(numbers))
    return [
        (limits.number("EnergyWindowLowerLimit"), limits.number("EnergyWindowUpperLimit"))
        for window in windows
        for limits in window.items("EnergyWindowRangeSequence")
    ]


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
