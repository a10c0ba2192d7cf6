"""What the values of a PET mean: activity per volume, standardised uptake, or only relative counts.

Units (0054,1001) decide, never the mere presence of a private factor: Philips writes these beside BQML too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.injection import Reference, read_half_life_s, read_reference, try_uptake
from acquisition.studies.plans import Uptake
from acquisition.studies.times import read_moment
from navigation.decay import decay_factor

PHILIPS, GROUP, SUV_FACTOR, ACTIVITY_FACTOR = "Philips PET Private Group", 0x7053, 0x00, 0x09
"""(7053,xx00): SUV by body weight for each count; (7053,xx09): Bq/mL for each count, of rescaled values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PetValues:
    """How rescaled values become what they mean.

    Attributes
    ----------
    factors
        Of each slice, (N,).
    quantity, unit, words
        Of what comes out; ``"Bq/mL"`` where it is activity concentration.
    is_attenuation_corrected
        As Corrected Image (0028,0051) says.
    reference
        The moment that the values are true of.
    uptake
        Factors from Bq/mL to standardised uptake values; none where the values are not activity.

    """

    factors: NDArray[np.float64]
    quantity: str
    unit: str
    words: str
    is_attenuation_corrected: bool
    reference: Reference
    uptake: Uptake

    @property
    def is_activity(self) -> bool:
        """Whether the values become Bq/mL."""
        return self.unit == "Bq/mL"


def read_pet_values(slices: Sequence[Attributes]) -> PetValues:
    """Tell what the values of a series' slices mean.

    Raises
    ------
    SeriesRefused
        Where units or corrections are missing or differ between slices.

    """
    unit = _shared(slices, "Units")
    corrections = set(_shared(slices, "CorrectedImage", may_be_absent=True).split("\\"))
    decay = _shared(slices, "DecayCorrection", may_be_absent=True)
    try:
        return _read_activity(slices, unit, corrections, decay)
    except SeriesRefused as exc:
        return PetValues(
            factors=np.ones(len(slices)),
            quantity="uptake",
            unit=unit,
            words=f"relative values: {exc}",
            is_attenuation_corrected="ATTN" in corrections,
            reference=read_reference(slices),
            uptake=Uptake(factors=None, why_not=str(exc)),
        )


def _read_activity(slices: Sequence[Attributes], unit: str, corrections: set[str], decay: str) -> PetValues:
    """Find the factors into Bq/mL; refuse where the objects do not say enough for it."""
    if "ATTN" not in corrections:
        raise SeriesRefused(f"{attribute_name('CorrectedImage')} lacks ATTN")
    if decay == "NONE":
        factors, reference = _decay_to_common(slices, corrections)
        words = f"; each slice decayed to {reference.words}"
    elif "DECY" not in corrections:
        raise SeriesRefused(f"{attribute_name('CorrectedImage')} lacks DECY")
    else:
        factors, reference, words = np.ones(len(slices)), read_reference(slices), ""
    uptake = try_uptake(slices[0], reference)
    by_unit, how = _to_bq_per_ml(slices, unit, uptake)
    if reference.at is None:
        words += f", but of no known moment: {reference.words}"
    return PetValues(
        factors=factors * by_unit,
        quantity="activity concentration",
        unit="Bq/mL",
        words=f"activity concentration in Bq/mL{how}{words}",
        is_attenuation_corrected=True,
        reference=reference,
        uptake=uptake,
    )


def _to_bq_per_ml(slices: Sequence[Attributes], unit: str, uptake: Uptake) -> tuple[NDArray[np.float64], str]:
    """Bq/mL for each unit of a rescaled value, and a word on where the factor is from."""
    factors = uptake.factors
    if unit == "BQML":
        return np.ones(len(slices)), ""
    if unit == "CNTS":
        by_activity = [one.private_number(PHILIPS, GROUP, ACTIVITY_FACTOR) for one in slices]
        if all(by_activity):
            return np.array(by_activity, dtype=np.float64), ", counts by Philips' factor (7053,1009)"
        by_uptake = [one.private_number(PHILIPS, GROUP, SUV_FACTOR) for one in slices]
        if not all(by_uptake):
            raise SeriesRefused(
                f"{attribute_name('Units')} is CNTS, and neither (7053,1009) nor (7053,1000) of Philips says how "
                "much activity a count is"
            )
        if factors is None:
            raise SeriesRefused(f"counts are scaled to SUV by (7053,1000) only, and {uptake.why_not}")
        return np.array(
            by_uptake, dtype=np.float64
        ) / factors.bw_g_per_bq, ", from SUV by Philips' factor (7053,1000)"
    if unit in {"GML", "CM2ML"}:
        if factors is None:
            raise SeriesRefused(f"{attribute_name('Units')} is {unit}, and {uptake.why_not}")
        kind = slices[0].text("SUVType") or ("BSA" if unit == "CM2ML" else "BW")
        known = {
            "BW": factors.bw_g_per_bq,
            "LBM": factors.lbm_g_per_bq,
            "LBMJANMA": factors.lbm_janmahasatian_g_per_bq,
            "BSA": factors.bsa_cm2_per_bq,
        }
        per_bq = known.get(kind)
        if per_bq is None:
            raise SeriesRefused(
                f"{attribute_name('SUVType')} is {kind}, and {attribute_name('PatientSize')} or "
                f"{attribute_name('PatientSex')} to undo it are missing or cannot be"
            )
        return np.full(len(slices), 1 / per_bq), f", from SUV ({kind})"
    raise SeriesRefused(f"{attribute_name('Units')} is {unit}, not BQML")


def _decay_to_common(slices: Sequence[Attributes], corrections: set[str]) -> tuple[NDArray[np.float64], Reference]:
    """Bring slices that were not corrected for decay to the first acquisition, each from its own."""
    if "DECY" in corrections:
        raise SeriesRefused(
            f"{attribute_name('DecayCorrection')} is NONE and {attribute_name('CorrectedImage')} says DECY"
        )
    half_life_s = read_half_life_s(slices[0])
    moments = [read_moment(one, "AcquisitionDate", "AcquisitionTime") for one in slices]
    known = [moment for moment in moments if moment]
    if half_life_s is None or len(known) < len(slices):
        raise SeriesRefused(
            f"{attribute_name('DecayCorrection')} is NONE, and {attribute_name('RadionuclideHalfLife')} or "
            f"{attribute_name('AcquisitionTime')} to undo the decay are missing, or half-lives differ"
        )
    at = min(known)
    factors = []
    for one, moment in zip(slices, known, strict=True):
        # counts of a frame are as many as at a moment within it; its middle is right to 0.1 % for a fifth of T
        middle_s = (one.optional_number("ActualFrameDuration") or 0.0) / 2000
        elapsed_s = (moment - at).total_seconds() + middle_s
        factors.append(decay_factor(half_life_s=half_life_s, elapsed_s=-elapsed_s))
    return np.array(factors), Reference(at=at, words="the first acquisition")


def _shared(slices: Sequence[Attributes], keyword: str, *, may_be_absent: bool = False) -> str:
    seen = [one.text(keyword) if may_be_absent else one.required_text(keyword) for one in slices]
    for one, text in zip(slices, seen, strict=True):
        if text != seen[0]:
            raise SeriesRefused(
                f"{attribute_name(keyword)} differs between the slices of the series: {text or 'nothing'} in "
                f"{one.where}, {seen[0] or 'nothing'} in {slices[0].where}"
            )
    return seen[0]
