"""Where to hold the probe next: the pose within reach from which counts are expected to tell most.

A located target: each pose is one more row of the fit, so the target's covariance after some seconds there follows
from that before by an update of rank one (Kalman's; Sherman and Morrison, 1950), all that is uncertain besides,
background, activities and the probe's response, marginalised with it. The pose with the smallest trace is advised:
A-optimal design of the next observation (Chaloner and Verdinelli, 1995, Statist. Sci. 10, 273).
A target not yet located: the points of the search are hypotheses, each expecting its own count. Between Poisson
counts of means m and n the Bhattacharyya distance is (sqrt(m) - sqrt(n))^2 / 2, and with the distances of all
pairs the mutual information between hypothesis and count is at least
- sum_i w_i ln sum_j w_j exp(-d_ij) (Kolchinsky and Tracey, 2017, Entropy 19, 361, eq. 10 at alpha = 1/2). It is
the expected gain by Renyi's divergence that Ristic, Morelande and Gunatilaka (2010, Signal Process. 90, 1225)
steer by.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.estimate import Posterior, TargetEstimate, region_of
from navigation.estimation.judgement import SHOWN_AT
from navigation.estimation.lattice import REACH_MM
from navigation.estimation.mixture import CORRECTIONS, NUISANCES, Fit
from navigation.estimation.posterior import Estimator
from navigation.estimation.tally import Tally
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.steering.guidance import ABSENT_BELOW, choose, require_patient_from_tip
from navigation.steering.hypotheses import imagine
from navigation.steering.information import (
    READING_S,
    gains_mm2,
    information_nats,
    jacobian_and_variance,
    rough_gains_mm2,
)
from navigation.steering.reach import Poses, reachable
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

HORIZON_S = 2.0
"""Time that an advice is for, the way there included."""

HAND_MM_PER_S, HAND_DEG_PER_S = 50.0, 90.0
"""How fast a hand moves and turns a probe on the skin without losing it."""

LEAST_SHARE = 0.02
"""Drop of the variance, over what it is, below which another pose is not worth the trouble."""

WORTH_SHARPENING_MM = 25.0
"""Longest semi-axis of a region from which on a target is believed in one place: wider, it is still searched for.

Somewhat more than counts as a location, so that a region beside an injection site is made one.
"""

LEAST_NATS = 0.003
"""The same for the information on a target that is not located."""

SHORTLISTED = 16
"""Poses for which all that is uncertain is worked out; the others are judged roughly."""

SEARCH_LEANS_DEG, SEARCH_DIRECTIONS = (25.0,), 4
"""Fewer poses in a search: each is judged for every hypothesis."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Advice:
    """Where to hold the probe next.

    Attributes
    ----------
    target
        Name of the target that it is about; None where there is none.
    patient_from_tip
        The pose, turned about its axis as the probe is now; None where no pose within reach would help.
    dwell_s
        How long to hold there; 0 without a pose.
    semi_axis_now_mm, semi_axis_after_mm
        Longest semi-axis of the target's 95 % region now and as expected after the dwell; None where it is not
        located yet, or no pose is advised.
    information_bit
        Least expected information on where the target is, if it is not located yet; else None.
    reason
        Why there, or why nowhere, in words: begins with a capital, ends without a full stop.

    """

    target: str | None
    patient_from_tip: RigidTransform | None
    dwell_s: float
    semi_axis_now_mm: float | None
    semi_axis_after_mm: float | None
    information_bit: float | None
    reason: str


def _nowhere(target: str | None, reason: str) -> Advice:
    return Advice(
        target=target,
        patient_from_tip=None,
        dwell_s=0.0,
        semi_axis_now_mm=None,
        semi_axis_after_mm=None,
        information_bit=None,
        reason=reason[:1].upper() + reason[1:],
    )


def _readings_at(poses: Poses, tissue: Tissue) -> Tally:
    """Rows of one reading at each pose, not counted yet."""
    size = len(poses)
    tally = Tally(tissue)
    tally.append(
        Observations(
            counts=np.zeros(size),
            live_time_s=np.full(size, READING_S),
            tip_mm=poses.tip_mm,
            axis=poses.axis,
            taken_at_s=np.zeros(size),
        )
    )
    return tally


def _counting_s(poses: Poses, patient_from_tip: RigidTransform, horizon_s: float) -> Array:
    """Time that is left at each pose after the way there."""
    way_s = np.linalg.norm(poses.tip_mm - patient_from_tip.translation_mm, axis=1) / HAND_MM_PER_S
    cosine = np.clip(poses.axis @ patient_from_tip.rotation[:, 2], -1.0, 1.0)
    turn_s = np.degrees(np.arccos(cosine)) / HAND_DEG_PER_S
    return np.asarray(np.maximum(horizon_s - np.maximum(way_s, turn_s), READING_S))


def _pose(tip_mm: Array, axis: Array, like: RigidTransform) -> RigidTransform:
    """Pose of a tip and an axis whose up mark stays as near as can be to where it is now."""
    # where the new axis lies along the old up mark, what looked ahead is up
    now = like.rotation[:, 1] if abs(float(axis @ like.rotation[:, 1])) < 0.95 else -like.rotation[:, 2]
    up = now - (now @ axis) * axis
    up /= np.linalg.norm(up)
    return RigidTransform(
        to=Frame.PATIENT,
        from_=Frame.TIP,
        rotation=np.column_stack((np.cross(up, axis), up, axis)),
        translation_mm=tip_mm,
    )


def _sharpen(
    estimator: Estimator,
    fit: Fit,
    chosen: TargetEstimate,
    *,
    tissue: Tissue,
    patient_from_tip: RigidTransform,
    horizon_s: float,
) -> Advice:
    """Shrink the region of a located target."""
    poses = reachable(tissue, patient_from_tip.translation_mm, chosen.centre_mm)
    if not len(poses):
        return _nowhere(chosen.name, "No place to hold the probe is known: there is no skin within reach")
    if np.linalg.norm(poses.tip_mm - chosen.centre_mm, axis=1).min() > REACH_MM:
        return _nowhere(chosen.name, f"{chosen.name} is too far from here to count it: go towards it")
    likelihood = estimator.likelihood
    index = [each.name for each in fit.mixture.priors].index(chosen.name)
    rows = slice(3 * index, 3 * index + 3)
    counting_s = _counting_s(poses, patient_from_tip, horizon_s)
    roughly = rough_gains_mm2(likelihood, fit, _readings_at(poses, tissue), counting_s, rows)
    shortlist = np.argsort(-roughly, kind="stable")[:SHORTLISTED]
    poses, counting_s = poses.take(shortlist), counting_s[shortlist]
    tally = _readings_at(poses, tissue)
    slopes = likelihood.sensitivities(fit.mixture, tally, slice(0, None))
    jacobian, variance = jacobian_and_variance(likelihood, fit, tally, slopes)
    gains, taken = gains_mm2(fit.covariance, jacobian, variance * READING_S / counting_s, rows)
    best = int(gains.argmax())
    before = fit.covariance[rows, rows]
    if gains[best] < LEAST_SHARE * np.trace(before):
        return _nowhere(chosen.name, f"no place within reach would shrink the region of {chosen.name} noticeably")
    # what widens the estimate beyond the fit widens the expectation alike
    widened = float(np.trace(chosen.covariance_mm2) / np.trace(before))
    after = region_of(widened * (before - np.outer(taken[best], taken[best])))[0]
    now_mm, after_mm = float(chosen.region_semi_axes_mm[0]), float(after[0])
    return Advice(
        target=chosen.name,
        patient_from_tip=_pose(poses.tip_mm[best], poses.axis[best], patient_from_tip),
        dwell_s=float(counting_s[best]),
        semi_axis_now_mm=now_mm,
        semi_axis_after_mm=after_mm,
        information_bit=None,
        reason=(
            f"Expected to shrink the region of {chosen.name} from {now_mm:.1f} to {after_mm:.1f} mm "
            f"in {horizon_s:.0f} s"
        ),
    )


def _search(
    estimator: Estimator,
    fit: Fit,
    chosen: TargetEstimate | None,
    *,
    tissue: Tissue,
    patient_from_tip: RigidTransform,
    horizon_s: float,
) -> Advice:
    """Find out where a target is that the counts have not located yet."""
    name = None if chosen is None else chosen.name
    likelihood = estimator.likelihood
    hypotheses = imagine(estimator, chosen, tissue)
    if hypotheses is None:
        return _nowhere(name, "The probe has looked at nothing but air: hold it to the skin")
    poses = reachable(
        tissue,
        patient_from_tip.translation_mm,
        hypotheses.share @ hypotheses.points_mm,
        leans_deg=SEARCH_LEANS_DEG,
        directions=SEARCH_DIRECTIONS,
    )
    if not len(poses):
        return _nowhere(name, "No place to hold the probe is known: there is no skin within reach")
    tally = _readings_at(poses, tissue)
    names = [each.name for each in fit.mixture.priors]
    others = fit.mixture.without(names.index(name)) if name in names else fit.mixture
    # the response's parameters move the rate of the others by per cents: nothing to a search
    slopes = np.zeros((len(poses), len(others), NUISANCES + 1))
    slopes[..., CORRECTIONS] = likelihood.correction.components_at(
        others.position_mm, tally.tip_mm, tally.axis, tally.skin
    )
    without = likelihood.expect(others, tally, slopes)
    weight = likelihood.weights(without, tally)
    rate = likelihood.response.expected_rate_cps(hypotheses.points_mm, poses.tip_mm, poses.axis, tissue)
    total = without.rate_cps[:, None] + np.append(
        rate * np.exp(hypotheses.log_activity), np.zeros((len(poses), 1)), axis=1
    )
    counting_s = _counting_s(poses, patient_from_tip, horizon_s)
    expected = (weight * counting_s)[:, None] * total / (1 + total * likelihood.response.dead_time_s)
    presence = estimator.prior.unmapped.presence if chosen is None else chosen.presence
    nats = information_nats(expected, np.append(presence * hypotheses.share, 1 - presence))
    best = int(nats.argmax())
    what = "an unmapped target" if name is None else name
    if nats[best] < LEAST_NATS:
        return _nowhere(name, f"no place within reach would tell where {what} is")
    return Advice(
        target=name,
        patient_from_tip=_pose(poses.tip_mm[best], poses.axis[best], patient_from_tip),
        dwell_s=float(counting_s[best]),
        semi_axis_now_mm=None,
        semi_axis_after_mm=None,
        information_bit=float(nats[best] / np.log(2)),
        reason=f"Tells most about where {what} is",
    )


def _is_in_one_place(target: TargetEstimate) -> bool:
    """Whether the counts, and not the map alone, hold a target in a region that is worth sharpening."""
    return target.presence >= SHOWN_AT and float(target.region_semi_axes_mm[0]) <= WORTH_SHARPENING_MM


def advise(
    estimator: Estimator,
    posterior: Posterior,
    tissue: Tissue,
    patient_from_tip: RigidTransform | None,
    *,
    target: str | None = None,
    horizon_s: float = HORIZON_S,
) -> Advice:
    """Say where to hold the probe next; to be called about once a second, in the estimator's thread.

    Parameters
    ----------
    estimator, posterior
        What was counted, and what it last said.
    tissue
        Where the skin is.
    patient_from_tip
        Where the probe is now; None while it is not tracked.
    target
        Name of the target that was chosen; else as ``guidance.guide`` chooses.
    horizon_s
        Time to plan for, the way there included, s.

    Raises
    ------
    FrameMismatch
        Where the pose does not map the tip's frame into the patient's.

    """
    if patient_from_tip is None:
        return _nowhere(target, "The probe is not tracked: show its marker to the tracker")
    require_patient_from_tip(patient_from_tip)
    fit = estimator.fit
    if fit is None:
        return _nowhere(target, "Nothing counted yet: hold the probe to the skin and sweep slowly")
    chosen = choose(posterior, target, patient_from_tip.translation_mm)
    name = None if chosen is None else chosen.name
    if not posterior.is_consistent:
        return _nowhere(name, "The counts do not fit any position: check probe, tracker and patient's marker")
    if chosen is not None and chosen.presence < ABSENT_BELOW:
        return _nowhere(name, f"{name}: the counts speak against it")
    left = fit.mixture.log_activity + estimator.log_strength
    fit = replace(fit, mixture=replace(fit.mixture, log_activity=left))
    is_fitted = name in [each.name for each in fit.mixture.priors]
    if chosen is not None and is_fitted and _is_in_one_place(chosen):
        return _sharpen(
            estimator, fit, chosen, tissue=tissue, patient_from_tip=patient_from_tip, horizon_s=horizon_s
        )
    return _search(estimator, fit, chosen, tissue=tissue, patient_from_tip=patient_from_tip, horizon_s=horizon_s)
