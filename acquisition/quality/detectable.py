"""What activity a probe detects, where its sensitivity is known."""

from math import sqrt
from typing import Final

from acquisition.quality.results import Figure
from navigation.probe.response import FITTED, Response
from navigation.statistics.detection import least_detected

SHOWN_S: Final = 10.0
"""Count that a detection limit is stated for: the usual timed count of a probe console."""


def detects_in_shown_cps(background_cps: float) -> float:
    """Give the net rate that ``SHOWN_S`` find but for 5 %, over a background counted as long (Currie's L_D)."""
    return least_detected(background_cps * SHOWN_S) / SHOWN_S


def detectable(response: Response, limit_cps: float, *, during: str) -> Figure:
    """Tell the least activity that is found: L_D over sensitivity and time (Currie, Anal. Chem. 40 (1968) 586).

    Parameters
    ----------
    response
        Its sensitivity holds on the axis, in air, at its reference distance.
    limit_cps
        Net rate that is found.
    during
        In which time, for the name: "10 s".

    """
    at = FITTED.index("sensitivity_cps_per_mbq")
    activity_mbq = limit_cps / response.sensitivity_cps_per_mbq
    return Figure(
        name=f"detects at {response.reference_distance_mm:g} mm in {during}",
        value=activity_mbq,
        unit="MBq",
        sigma=activity_mbq * sqrt(response.covariance[at, at]),
    )
