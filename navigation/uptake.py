"""Standardised uptake values: activity concentration over the injected activity by body size.

Each factor takes Bq/mL into its SUV. Body weight, lean body mass after James and after Janmahasatian, and body
surface after Du Bois; as in QIBA's vendor-neutral pseudo-code and cornerstonejs/calculate-suv.
"""

import math
from dataclasses import dataclass
from typing import Literal

from navigation.decay import decay_factor
from navigation.errors import NavigationError

Sex = Literal["M", "F"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UptakeFactors:
    """Factors from Bq/mL to standardised uptake values; None where height or sex is not known, or gives no mass.

    Attributes
    ----------
    bw_g_per_bq
        By body weight: g/mL for each Bq/mL.
    lbm_g_per_bq, lbm_janmahasatian_g_per_bq
        By lean body mass after James, and after Janmahasatian.
    bsa_cm2_per_bq
        By body surface: cm2/mL for each Bq/mL.

    """

    bw_g_per_bq: float
    lbm_g_per_bq: float | None
    lbm_janmahasatian_g_per_bq: float | None
    bsa_cm2_per_bq: float | None


def uptake_factors(
    *, weight_kg: float, height_m: float | None, sex: Sex | None, decayed_dose_bq: float
) -> UptakeFactors:
    """Give the factors of a patient.

    Parameters
    ----------
    weight_kg, height_m, sex
        Of the patient; height and sex may be unknown.
    decayed_dose_bq
        What was injected, decayed to the moment that the image's values are true of.

    Raises
    ------
    NavigationError
        Where weight, height or dose is not a finite number above zero.

    """
    given = {"weight_kg": weight_kg, "height_m": height_m, "decayed_dose_bq": decayed_dose_bq}
    for name, value in given.items():
        if value is not None and not 0 < value < math.inf:
            raise NavigationError(f"uptake: {name} is {value}, wants a finite number above 0")
    james, janmahasatian = None, None
    if height_m is not None and sex is not None:
        lean_kg = lean_mass_james_kg(weight_kg, height_m, sex)
        james = 1000 * lean_kg / decayed_dose_bq if lean_kg > 0 else None
        janmahasatian = 1000 * lean_mass_janmahasatian_kg(weight_kg, height_m, sex) / decayed_dose_bq
    return UptakeFactors(
        bw_g_per_bq=1000 * weight_kg / decayed_dose_bq,
        lbm_g_per_bq=james,
        lbm_janmahasatian_g_per_bq=janmahasatian,
        bsa_cm2_per_bq=None if height_m is None else body_surface_cm2(weight_kg, height_m) / decayed_dose_bq,
    )


def lean_mass_james_kg(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass after James (1976): it turns down again in obesity, to below zero."""
    squared = (weight_kg / (100 * height_m)) ** 2
    return 1.07 * weight_kg - 148 * squared if sex == "F" else 1.10 * weight_kg - 120 * squared


def lean_mass_janmahasatian_kg(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass after Janmahasatian et al., Clin. Pharmacokinet. 44, 2005."""
    index = weight_kg / height_m**2
    return 9270 * weight_kg / (8780 + 244 * index if sex == "F" else 6680 + 216 * index)


def body_surface_cm2(weight_kg: float, height_m: float) -> float:
    """Body surface after Du Bois (1916), cm2."""
    return 71.84 * math.pow(weight_kg, 0.425) * math.pow(100 * height_m, 0.725)


def decayed_dose_bq(*, dose_bq: float, half_life_s: float, elapsed_s: float) -> float:
    """Injected activity left after ``elapsed_s``.

    Raises
    ------
    NavigationError
        Where the injection lies after the moment asked for, or the half-life is not above zero.

    """
    if elapsed_s < 0:
        raise NavigationError(f"uptake: the injection lies {-elapsed_s:.0f} s after the image")
    return dose_bq * decay_factor(half_life_s=half_life_s, elapsed_s=elapsed_s)
