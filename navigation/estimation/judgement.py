"""Whether what is believed of a source may be shown as a location, and with which region."""

import math

import numpy as np

from navigation.estimation.belief import Belief
from navigation.estimation.estimate import TargetEstimate, region_of
from navigation.estimation.prior import SourcePrior

SHOWN_AT = 0.8
"""Probability above which a target may be shown."""

LEAST_LOG_EVIDENCE = 6.0
"""Logarithm of how much likelier the counts must be with a target than without, before it may be shown.

Four hundred to one: beyond what counts as very strong evidence (Kass and Raftery, J. Am. Stat. Assoc. 90 (1995)
773), because what the model does not know of an injection site's flank counts as well.
"""

GREATEST_SEMI_AXIS_MM = 20.0
"""Longest semi-axis of a 95 % region that still counts as a location."""

INFLATION, OUTSHONE_INFLATION = 1.35, 3.0
"""Factors by which a location's covariance is larger than the Gaussian about the maximum has it.

That is too narrow where counts are few, and knows nothing of other maxima and of errors that no calibration shows,
least of all in an injection site's flank: the second is for what is outshone there. With them 95 % of the regions
held the truth in 1,738 drawn scenes, half of them with a probe gone wrong; docs/accuracy.md tries them on others.
"""

GREATEST_DISPERSION = 3.0
"""Variance over expectation beyond which no position can be trusted."""


def judge(
    prior: SourcePrior, belief: Belief, *, is_counted: bool, dispersion: float, log_strength: float
) -> TargetEstimate:
    """State one source as it may be shown.

    Parameters
    ----------
    prior
        Of the source: its name, kind and place on the map.
    belief
        What the counts make of it.
    is_counted
        Whether anything was counted yet.
    dispersion
        Variance of the counts over what it should be, at least 1.
    log_strength
        Natural logarithm of what is left of any activity.

    Returns
    -------
    estimate
        Not localisable, with the reason in words, wherever the counts do not bear a position out.

    """
    inflation = OUTSHONE_INFLATION if belief.is_outshone else INFLATION
    covariance = belief.covariance_mm2 * (dispersion * inflation)
    semi_axes, axes = region_of(covariance)
    reason = ""
    if not is_counted:
        reason = "nothing counted yet"
    elif not _is_sound(belief):
        reason = "its numbers went wrong: choose the study again"  # no comparison below would find that out
    elif belief.presence < SHOWN_AT:
        reason = f"the counts do not show it (probability {_percent(belief.presence)})"
    elif prior.is_target and belief.log_evidence < LEAST_LOG_EVIDENCE:
        reason = "the map says so, the counts do not yet"
    elif semi_axes[0] > GREATEST_SEMI_AXIS_MM:
        reason = f"its region still reaches {semi_axes[0]:.0f} mm"
    elif dispersion > GREATEST_DISPERSION:
        reason = "the counts do not fit any position"
    return TargetEstimate(
        name=prior.name,
        kind=prior.kind,
        presence=belief.presence,
        centre_mm=belief.centre_mm,
        covariance_mm2=covariance,
        log_activity_mean=belief.log_activity + log_strength,
        log_activity_sigma=belief.log_activity_sigma,
        is_localisable=not reason,
        reason=reason,
        region_semi_axes_mm=semi_axes,
        region_axes=axes,
        mapped_mm=prior.centre_mm,
    )


def _is_sound(belief: Belief) -> bool:
    """Whether all that decides is a number; its evidence may be infinite."""
    is_finite = np.isfinite(belief.centre_mm).all() and np.isfinite(belief.covariance_mm2).all()
    return bool(is_finite) and math.isfinite(belief.presence) and not math.isnan(belief.log_evidence)


def _percent(probability: float) -> str:
    """Write a probability below ``SHOWN_AT`` as the page writes it beside this: with a space, and never 0 %."""
    return "< 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"
