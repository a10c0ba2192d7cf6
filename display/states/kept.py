"""What is kept of the rate and of the tip's way: as a display shows it, and as it shows what is kept."""

from collections.abc import Sequence

from acquisition.session.swept_path import Space, SweptPath
from acquisition.session.yardstick import KeptRate
from acquisition.studies.study import Study
from display.messages.feed import DeviceState, RateState
from display.messages.kept import KeptRateState, PathState
from navigation.transforms import RigidTransform

UNSAID_STALE_S = 0.4
"""Age above which a rate is no longer of now, where the probe's own limit is not known."""


def live_rate(rate: RateState | None, devices: Sequence[DeviceState]) -> RateState | None:
    """Give a rate if it is of now: its probe is live, and it no older than that probe's limit."""
    probe = next((each for each in devices if rate and each.name == rate.device), None)
    if rate is None or probe is None or probe.state != "live":
        return None
    limit_s = UNSAID_STALE_S if probe.stale_after_s is None else probe.stale_after_s
    return rate if rate.age_s <= limit_s else None


def keep_rate(rate: RateState | None) -> KeptRate | None:
    """Make of a rate what can be kept; None of one that is not known: beyond correction, or counted too few."""
    if rate is None or rate.known_cps is None:
        return None
    return KeptRate(
        device=rate.device,
        counts=rate.counts,
        rate_cps=rate.known_cps,
        low_cps=rate.low_cps,
        high_cps=rate.high_cps,
    )


def show_kept(rate: KeptRate | None) -> KeptRateState | None:
    """Show a rate that was kept."""
    if rate is None:
        return None
    return KeptRateState(counts=rate.counts, rate_cps=rate.rate_cps, low_cps=rate.low_cps, high_cps=rate.high_cps)


def space_of(study: Study, patient_from_reference: RigidTransform) -> Space:
    """Say what a path is drawn in."""
    return Space(
        study_uid=study.study_uid,
        frame_of_reference_uid=study.frame_of_reference_uid,
        patient_from_reference=patient_from_reference.matrix.tolist(),
    )


def show_path(path: SweptPath) -> PathState:
    """Show how much there is of a path."""
    return PathState(number=path.number, length=path.length)
