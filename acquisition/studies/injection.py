"""What was injected into a patient and when, and the moment that a PET's values are true of.

QIBA's vendor-neutral pseudo-code for SUV, PS3.3 C.8.9.1.1.5 (Decay Correction) and C.8.9.2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.plans import Uptake
from acquisition.studies.times import parse_datetime, read_moment, read_time_on
from navigation.errors import NavigationError
from navigation.uptake import Sex, UptakeFactors, decayed_dose_bq, uptake_factors

GE_SCAN_TIME = "GEMS_PETD_01", 0x0009, 0x0D
"""Private creator, group and element of GE's scan date and time: the decay reference of reprocessed series."""

SIEMENS_DECAY_TIME = "SIEMENS MED PT", 0x0071, 0x22
"""Private creator, group and element of Siemens' Decay Correction DateTime.

"The date and time to which the image was decay corrected" (conformance statement of the Biograph TruePoint 6.7).
"""

LONGEST_SCAN = timedelta(hours=6)
"""No scan takes longer; a decay reference further before its first slice is of another day than the others."""

LONGEST_HALF_LIFE_WITHOUT_DATE_S = 12 * 3600.0
"""Where the injection's date is missing it is that of the scan or the day before; a longer-lived nuclide may have
been injected days ago.
"""

LONGEST_UPTAKE_WITHOUT_DATE = timedelta(hours=12)
"""Over midnight nobody waits longer: a clock time just after the scan's start is not of the day before."""

LONGEST_UPTAKE_HALF_LIVES = 20.0
"""After so many nothing is left to see: a date is wrong."""

LEAST_DOSE_BQ, GREATEST_DOSE_BQ = 1e5, 1e11
"""Between which what a person is given lies: some consoles write MBq or mCi where the standard has Bq."""

LIGHTEST_KG, HEAVIEST_KG = 0.3, 700.0
"""Between which a patient weighs: grams are none of it."""

SHORTEST_M, TALLEST_M = 0.2, 2.8
"""Between which a patient is tall: some consoles write centimetres."""

SAME_HALF_LIFE = 0.01
"""Relative difference up to which half-lives are one: consoles write that of F-18 as 6586.2 s and as 6588 s.

Even where they are of two nuclides, what decays within a half-life differs by 0.7 % at most.
"""

DISAGREEMENT = 0.05
"""Relative difference of activity by which Decay Factor may contradict the reference time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The moment that decay-corrected values are true of; None with the reason where it is not known."""

    at: datetime | None
    words: str


def read_half_life_s(first: Attributes) -> float | None:
    """Read Radionuclide Half Life (0018,1075), None where it is not given, or more than one is.

    Where those of several injections lie within ``SAME_HALF_LIFE`` of the first it is the first: whose table is
    right is not told, and none is off by more than what is granted.
    """
    items = first.items("RadiopharmaceuticalInformationSequence")
    given_s = [item.optional_number("RadionuclideHalfLife") or 0.0 for item in items]
    if not given_s or given_s[0] <= 0:
        return None
    is_one = all(abs(other_s - given_s[0]) <= SAME_HALF_LIFE * given_s[0] for other_s in given_s)
    return given_s[0] if is_one else None


def read_reference(slices: Sequence[Attributes]) -> Reference:
    """Find the reference time of a series that is corrected for decay.

    ADMIN: the injection. START: Siemens' own word for it; else the series' start if that is not after the first
    acquisition (workstations write the time of their reformatting there), else GE's private scan time, else the
    first acquisition.
    """
    first = slices[0]
    kind = first.text("DecayCorrection")
    if kind == "ADMIN":
        return _refer_to_injection(first, before=_earliest_acquisition(slices))
    if kind != "START":
        return Reference(at=None, words=f"{attribute_name('DecayCorrection')} is {kind or 'missing'}")
    earliest = _earliest_acquisition(slices)
    series_at = read_moment(first, "SeriesDate", "SeriesTime")
    if siemens_at := parse_datetime(first.private_text(*SIEMENS_DECAY_TIME), zone_of=first):
        at, words = siemens_at, "Siemens' private decay correction time (0071,xx22)"
        if earliest and not timedelta(0) <= earliest - at <= LONGEST_SCAN:
            return Reference(at=None, words=f"{words} is {at}, and {earliest} is the first acquisition")
    elif series_at and (earliest is None or series_at <= earliest):
        at, words = series_at, "the start of the series"
    elif scan_at := _ge_scan_time(first):
        at, words = scan_at, "GE's private scan time (0009,100d)"
    elif earliest:
        at, words = earliest, "the first acquisition"
    else:
        return Reference(
            at=None, words=f"{attribute_name('SeriesTime')} and {attribute_name('AcquisitionTime')} are missing"
        )
    off_s = _contradiction_s(slices, at)
    if off_s is not None:
        return Reference(
            at=None,
            words=f"{attribute_name('DecayFactor')} puts it {off_s:+.0f} s from {words}, which is more than "
            f"{DISAGREEMENT:.0%} of activity",
        )
    return Reference(at=at, words=words)


def _refer_to_injection(first: Attributes, *, before: datetime | None) -> Reference:
    if several := _several_injections(first):
        return Reference(at=None, words=several)
    at = read_injection_time(first, before=before)
    if at and (unknown := _unknown_day(first)):
        return Reference(at=None, words=unknown)
    return Reference(at=at, words="the injection" if at else _missing_injection())


def read_injection_time(first: Attributes, *, before: datetime | None) -> datetime | None:
    """Read when it was injected.

    Radiopharmaceutical Start DateTime (0018,1078), else Start Time (0018,1072) on the day of ``before``, or on the
    day before that where the clock had not come so far: the scan ran past midnight. None where the one or the
    other is missing or cannot be, or several injections are named.
    """
    items = first.items("RadiopharmaceuticalInformationSequence")
    for item in items if len(items) == 1 else ():
        if at := parse_datetime(item.text("RadiopharmaceuticalStartDateTime"), zone_of=first):
            return at
        if before is None:
            return None
        started = read_time_on(item, "RadiopharmaceuticalStartTime", day=before)
        if started is not None and started > before:
            started -= timedelta(days=1)
            return started if before - started <= LONGEST_UPTAKE_WITHOUT_DATE else None
        return started
    return None


def read_uptake(first: Attributes, reference: Reference) -> UptakeFactors:
    """Read the factors from Bq/mL into standardised uptake values.

    Raises
    ------
    SeriesRefused
        Where weight, dose, half-life, injection time or reference time are missing or impossible, or several
        injections are named, with the tag.

    """
    if several := _several_injections(first):
        raise SeriesRefused(several)
    if reference.at is None:
        raise SeriesRefused(f"the moment of the values is not known: {reference.words}")
    weight_kg = first.optional_number("PatientWeight")
    if not weight_kg:
        raise SeriesRefused(f"{attribute_name('PatientWeight')} is missing or 0 in {first.where}")
    _require_likely("PatientWeight", weight_kg, (LIGHTEST_KG, HEAVIEST_KG), "kg", first.where)
    items = first.items("RadiopharmaceuticalInformationSequence")
    if not items:
        name = attribute_name("RadiopharmaceuticalInformationSequence")
        raise SeriesRefused(f"{name} is missing or empty in {first.where}")
    dose_bq = items[0].number("RadionuclideTotalDose")
    _require_likely("RadionuclideTotalDose", dose_bq, (LEAST_DOSE_BQ, GREATEST_DOSE_BQ), "Bq", first.where)
    half_life_s = items[0].number("RadionuclideHalfLife")
    injected_at = read_injection_time(first, before=reference.at)
    if injected_at is None:
        raise SeriesRefused(_missing_injection())
    if unknown := _unknown_day(first):
        raise SeriesRefused(unknown)
    elapsed_s = (reference.at - injected_at).total_seconds()
    if half_life_s <= 0 or elapsed_s > LONGEST_UPTAKE_HALF_LIVES * half_life_s:
        raise SeriesRefused(
            f"{elapsed_s / 3600:.1f} h from the injection to {reference.words} cannot be: a half-life of "
            f"{half_life_s:.0f} s, {attribute_name('RadionuclideHalfLife')}"
        )
    try:
        left_bq = decayed_dose_bq(dose_bq=dose_bq, half_life_s=half_life_s, elapsed_s=elapsed_s)
        return uptake_factors(
            weight_kg=weight_kg, height_m=_read_height_m(first), sex=_read_sex(first), decayed_dose_bq=left_bq
        )
    except NavigationError as exc:
        raise SeriesRefused(f"{exc} ({attribute_name('RadionuclideTotalDose')})") from exc


def _require_likely(keyword: str, value: float, limits: tuple[float, float], unit: str, where: str) -> None:
    low, high = limits
    if not low <= value <= high:
        raise SeriesRefused(
            f"{attribute_name(keyword)} in {where} is {value:g} {unit}: a person's is {low:g} to {high:g} {unit}"
        )


def _read_height_m(first: Attributes) -> float | None:
    """Read Patient's Size (0010,1020), None where it is not given or no height in metres."""
    height_m = first.optional_number("PatientSize")
    return height_m if height_m is not None and SHORTEST_M <= height_m <= TALLEST_M else None


def _unknown_day(first: Attributes) -> str:
    """Say why the day of an injection cannot be told that has a time and no date; "" where it can."""
    half_life_s = read_half_life_s(first)
    started = [
        item.text("RadiopharmaceuticalStartDateTime")
        for item in first.items("RadiopharmaceuticalInformationSequence")[:1]
    ]
    is_dated = any(parse_datetime(text, zone_of=first) for text in started)
    if is_dated or (half_life_s is not None and half_life_s <= LONGEST_HALF_LIFE_WITHOUT_DATE_S):
        return ""
    lives = "no half-life" if half_life_s is None else f"a half-life of {half_life_s / 3600:.0f} h"
    return (
        f"{attribute_name('RadiopharmaceuticalStartDateTime')} is missing: with {lives} the day of the injection "
        "cannot be told"
    )


def try_uptake(first: Attributes, reference: Reference) -> Uptake:
    """Read the factors, or why there are none."""
    try:
        return Uptake(factors=read_uptake(first, reference), why_not="")
    except SeriesRefused as exc:
        return Uptake(factors=None, why_not=str(exc))


def _read_sex(first: Attributes) -> Sex | None:
    match first.text("PatientSex"):
        case "F":
            return "F"
        case "M":
            return "M"
    return None


def _several_injections(first: Attributes) -> str:
    """Say that several injections are named; "" where they are not."""
    name = "RadiopharmaceuticalInformationSequence"
    count = len(first.items(name))
    if count < 2:
        return ""
    return f"{attribute_name(name)} in {first.where} names {count} injections: of which the values are is not told"


def _missing_injection() -> str:
    return (
        f"{attribute_name('RadiopharmaceuticalStartDateTime')} and "
        f"{attribute_name('RadiopharmaceuticalStartTime')} are missing, or later than the scan"
    )


def _earliest_acquisition(slices: Sequence[Attributes]) -> datetime | None:
    moments = [read_moment(one, "AcquisitionDate", "AcquisitionTime") for one in slices]
    return min((moment for moment in moments if moment), default=None)


def _ge_scan_time(first: Attributes) -> datetime | None:
    return parse_datetime(first.private_text(*GE_SCAN_TIME), zone_of=first)


def _contradiction_s(slices: Sequence[Attributes], at: datetime) -> float | None:
    """How far Decay Factor (0054,1321) of a slice puts the reference from ``at``, where that matters; else None.

    The factor of a frame that lasts d and begins t after the reference is 2^(t/T) ln2 d/T / (1 - 2^(-d/T)).
    """
    half_life_s = read_half_life_s(slices[0])
    if half_life_s is None:
        return None
    for one in slices:
        factor = one.optional_number("DecayFactor")
        began = read_moment(one, "AcquisitionDate", "AcquisitionTime")
        duration_ms = one.optional_number("ActualFrameDuration")
        if not factor or factor <= 0 or began is None or duration_ms is None:
            continue
        decays = math.log(2) * duration_ms / 1000 / half_life_s
        mean = decays / -math.expm1(-decays) if decays > 0 else 1.0
        since_s = half_life_s * math.log2(factor / mean)
        off_s = (began - at).total_seconds() - since_s
        if abs(off_s) > half_life_s * math.log2(1 + DISAGREEMENT):
            return off_s
    return None
