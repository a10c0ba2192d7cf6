"""How late counts are behind poses: from a probe that is moved to and fro over a point source.

The counts are held against the rate that the probe's response predicts along its track, for every delay: source,
activity, background and delay are fitted together by Poisson likelihood (deviance residuals, Levenberg-Marquardt).
Where track and counts go to and fro, place and delay cannot stand for each other; a delay and one that is longer
by a pass nearly can, where the hand goes evenly (``delays``).

The delay is that of counts as they arrive. Where some arrive later than others by the lengths of their own
intervals (a busy host, a converter's buffer), it is not one number, and is known no better than they agree.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from navigation.calibration.counted_track import CountedTrack
from navigation.calibration.delays import DELAY, LONGEST_DELAY_S, SEARCHED_S, follow
from navigation.errors import NavigationError
from navigation.probe.response import Response
from navigation.statistics.deviance import deviance_residuals
from navigation.tissue import NoTissue

Array = NDArray[np.float64]

ANOTHER_S = 0.1
"""Delays that lie further apart are not ends of one search."""

LEAST_TRAVEL_MM = 8.0
"""Peak to peak: less is a hand at rest (PLUS refuses it too)."""

FEWEST_PASSES = 5
LEAST_CORRELATION = 0.8
"""Of counts and predicted counts: below it another thing than the track explains the counts."""

UNEVEN_S = 0.02
"""Mean lateness beyond which the computer may be why counts follow no track: at 150 mm/s, 3 mm."""

HELD_UP_S = 0.005
"""Mean lateness beyond which the computer may be why one delay cannot be told from another."""

PARTS = 4
"""Into which a counting interval is cut, since the probe moves on in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingCalibration:
    """How late counts are.

    Attributes
    ----------
    delay_s
        A count that is stamped t was counted where the probe was at ``t - delay_s``.
    sigma_s
        Its standard error; where the counts scatter more than chance, or arrive unevenly, by so much greater.
    unevenness_s
        By how much counts arrived later, on average, than those that were not held up.
    correlation
        Of the counts and those that the fit predicts.
    passes
        Over the source.

    """

    delay_s: float
    sigma_s: float
    unevenness_s: float
    correlation: float
    passes: int

    @property
    def interval_s(self) -> tuple[float, float]:
        """95 % interval of the delay."""
        return self.delay_s - 1.96 * self.sigma_s, self.delay_s + 1.96 * self.sigma_s


def calibrate_timing(sweep: CountedTrack, response: Response) -> TimingCalibration:
    """Find the delay of a probe with this response.

    Raises
    ------
    NavigationError
        Where the probe was hardly moved, passed too seldom, or the counts do not follow the track. The sentence
        says what to do.

    """
    kept = sweep.between_poses(SEARCHED_S)
    travel = sweep.tip_mm - sweep.tip_mm.mean(axis=0)
    along = travel @ np.linalg.svd(travel, full_matrices=False)[2][0]
    if np.ptp(along) < LEAST_TRAVEL_MM:
        raise NavigationError(f"the probe moved by {np.ptp(along):.0f} mm only: move it to and fro over a source")
    passes = int(np.count_nonzero(np.diff(np.sign(along))))
    if passes < FEWEST_PASSES or np.count_nonzero(kept) < 8 * FEWEST_PASSES:
        raise NavigationError(f"{passes} passes over the source are too few: at least {FEWEST_PASSES}")
    ends = follow(
        lambda start_s, most: _fit(sweep, kept, response, start_s, most), counts=int(np.count_nonzero(kept))
    )
    fit = ends.best
    expected = _expected(fit.x, sweep, kept, response)
    correlation = float(np.corrcoef(expected, sweep.counts[kept])[0, 1])
    unevenness_s = float(sweep.lateness_s.mean())
    if not correlation >= LEAST_CORRELATION:
        if unevenness_s > UNEVEN_S:
            raise NavigationError(
                f"the counts do not follow the track (correlation {correlation:.2f}), and arrive unevenly, by "
                f"{1000 * unevenness_s:.0f} ms: free the computer of other work"
            )
        raise NavigationError(
            f"the counts do not follow the track (correlation {correlation:.2f}): is the source under it, and the "
            "probe the one that is tracked?"
        )
    rivals = [end for end in ends.alike if abs(end.x[DELAY] - fit.x[DELAY]) > ANOTHER_S]
    if (ends.is_too_long or rivals) and unevenness_s > HELD_UP_S:
        raise NavigationError(
            f"no delay fits best, and the counts arrive unevenly, by {1000 * unevenness_s:.0f} ms: free the "
            "computer of other work"
        )
    if ends.is_too_long:
        raise NavigationError(f"the delay is more than {LONGEST_DELAY_S:g} s: look at the clocks and the buffers")
    if rivals:
        raise NavigationError(
            f"delays of {1000 * fit.x[DELAY]:.0f} and {1000 * rivals[0].x[DELAY]:.0f} ms fit alike: move it less "
            "evenly, or over a stronger source"
        )
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac) * ends.inflation
    return TimingCalibration(
        delay_s=float(fit.x[DELAY]),
        sigma_s=float(np.hypot(np.sqrt(covariance[DELAY, DELAY]), unevenness_s)),
        unevenness_s=unevenness_s,
        correlation=correlation,
        passes=passes,
    )


def _fit(
    sweep: CountedTrack, kept: NDArray[np.bool_], response: Response, start_s: float, most: int
) -> OptimizeResult:
    rates = sweep.counts[kept] / sweep.live_time_s[kept]
    middles = (sweep.start_s + sweep.real_time_s / 2)[kept] - start_s
    hot = middles[rates >= np.quantile(rates, 0.9)]
    tips, axes = _track(sweep, hot)
    # 15 mm ahead of where it counted most; the response says what activity gives the greatest rate there
    source_mm = (tips + 15.0 * axes).mean(axis=0)
    unit_cps = float(np.median(response.expected_rate_cps(source_mm[None], tips, axes, NoTissue())))
    background_cps = max(float(np.quantile(rates, 0.05)), 0.1)
    activity = max(float(np.max(rates)) - background_cps, 1.0) / max(unit_cps, 1e-6)
    start = np.array((*source_mm, np.log(activity), np.log(background_cps), start_s))

    def residuals(parameters: Array) -> Array:
        return deviance_residuals(sweep.counts[kept], _expected(parameters, sweep, kept, response))

    scale = np.array((5.0, 5.0, 5.0, 0.3, 0.5, 0.05))
    bound = np.array((60.0, 60.0, 60.0, 8.0, 8.0, np.inf))
    low, high = start - bound, start + bound
    low[DELAY], high[DELAY] = -SEARCHED_S, SEARCHED_S
    return least_squares(
        residuals, start, x_scale=scale, bounds=(low, high), diff_step=np.full(6, 1e-4), max_nfev=most
    )


def _expected(parameters: Array, sweep: CountedTrack, kept: NDArray[np.bool_], response: Response) -> Array:
    """Give the counts that are to be expected of each interval, shape (M,)."""
    source_mm, activity = parameters[:3], np.exp(parameters[3])
    background_cps, delay_s = np.exp(parameters[4]), parameters[DELAY]
    parts = (np.arange(PARTS) + 0.5) / PARTS
    at_s = sweep.start_s[kept][:, None] + parts * sweep.real_time_s[kept][:, None] - delay_s
    tips, axes = _track(sweep, at_s.ravel())
    unit_cps = response.expected_rate_cps(source_mm[None], tips, axes, NoTissue())[:, 0]
    rates = activity * unit_cps.reshape(at_s.shape).mean(axis=1) + background_cps
    return np.asarray(np.maximum(rates * sweep.live_time_s[kept], 1e-9))


def _track(sweep: CountedTrack, at_s: Array) -> tuple[Array, Array]:
    tips = np.stack([np.interp(at_s, sweep.at_s, each) for each in sweep.tip_mm.T], axis=1)
    axes = np.stack([np.interp(at_s, sweep.at_s, each) for each in sweep.axis.T], axis=1)
    return tips, axes / np.linalg.norm(axes, axis=1, keepdims=True)
