"""What the estimate rests on, as a display shows it: how much, how well it fits, what was left out."""

import numpy as np

from acquisition.estimate.agreement import Agreement
from acquisition.estimate.localising import Localisation
from display.messages.estimate import AgreementState, MapShiftState, PosteriorState, RejectionState
from display.states.target import point
from navigation.estimation.shift import MapShift
from navigation.probe.response import Response
from navigation.screening.sieve import Rejections


def show_posterior(
    localisation: Localisation | None, response: Response | None, *, now_s: float
) -> PosteriorState | None:
    """Show what is believed, and how old the newest count in it is; None where nothing is."""
    if localisation is None or response is None:
        return None
    posterior = localisation.posterior
    return PosteriorState(
        readings=posterior.readings,
        age_s=max(0.0, now_s - localisation.counted_until_s),
        update_ms=localisation.update_ms,
        response=f"{response.probe}, {response.nuclide}, {response.calibrated_at[:10]}",
        consistent=posterior.is_consistent,
        within_calibration=posterior.is_within_calibration,
        restarts=posterior.restarts,
        map_shift=None if posterior.map_shift is None else _show_shift(posterior.map_shift),
        agreement=None if localisation.agreement is None else _show_agreement(localisation.agreement),
    )


def show_rejections(rejections: Rejections) -> tuple[RejectionState, ...]:
    """Show what was left out and why, the commonest reason first."""
    return tuple(
        RejectionState(reason=str(reason), readings=readings)
        for reason, readings in sorted(rejections.by_reason.items(), key=lambda each: (-each[1], each[0]))
    )


def _show_shift(shift: MapShift) -> MapShiftState:
    """Show a shift; its interval is the covariance along it, or the longest where it has no direction."""
    distance_mm = float(np.linalg.norm(shift.mean_mm))
    if distance_mm > 0:
        along = shift.mean_mm / distance_mm
        variance = float(along @ shift.covariance_mm2 @ along)
    else:
        variance = float(np.linalg.eigvalsh(shift.covariance_mm2)[-1])
    return MapShiftState(
        shift_mm=point(shift.mean_mm), distance_mm=distance_mm, half_width_mm=1.96 * float(np.sqrt(variance))
    )


def _show_agreement(agreement: Agreement) -> AgreementState:
    return AgreementState(
        measured_cps=agreement.counts / agreement.live_time_s,
        expected_cps=agreement.expected / agreement.live_time_s,
        low=agreement.low,
        high=agreement.high,
        live_time_s=agreement.live_time_s,
        verdict=agreement.verdict,
    )
