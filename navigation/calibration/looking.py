"""Which way a probe looks, by what it counts: from a probe that is tilted and turned about a point source.

The counts are held against the rates that the probe's response predicts along its track: source, activity,
background, delay and the direction in which the probe counts most are fitted together by Poisson likelihood
(deviance residuals, trust region). A probe that is tilted alone cannot tell its own axis from the way to a source
whose place nobody knows; turned about its shaft it can, for the one turns along and the other stays. A delay
that is longer by a swing may go with another direction (``delays``). The response is one of revolution, so that
errors of its shape widen the interval and hardly shift the axis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from navigation.calibration.counted_track import CountedTrack
from navigation.calibration.delays import DELAY, LONGEST_DELAY_S, SEARCHED_S, follow
from navigation.calibration.pivot import spread_deg
from navigation.calibration.spin import turned_deg
from navigation.calibration.timing import LEAST_CORRELATION, PARTS
from navigation.errors import NavigationError
from navigation.probe.response import Response
from navigation.statistics.deviance import deviance_residuals
from navigation.tissue import NoTissue

Array = NDArray[np.float64]

FEWEST_COUNTS = 60
"""Counting intervals before which nothing is said."""

LEAST_TILT_DEG, LEAST_TURN_DEG = 8.0, 25.0
"""RMS of the tilt to all sides and of the turn about the shaft, of which the axis can be told."""

FARTHEST_DEG = 45.0
"""How far the direction is looked for from the one that the spin gave."""

START_MM = 20.0
"""Ahead of the tip the source is looked for first."""

ANOTHER_DEG = 1.0
"""Directions that lie further apart are not ends of one search."""

SIGMAS_95 = 2.448
"""Standard errors within which two directions lie in 95 of 100: the root of chi-square's quantile, 2 degrees."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookDirection:
    """Which way a probe looks.

    Attributes
    ----------
    off_deg
        Where the direction of greatest counts lies beside the axis of the tip's frame, towards its x and y, shape
        (2,).
    covariance_deg2
        Of that, shape (2, 2); where the counts scatter more than chance, by so much greater.
    correlation
        Of the counts and those that the fit predicts.
    distance_mm
        From the tip to the source, on average.

    """

    off_deg: Array
    covariance_deg2: Array
    correlation: float
    distance_mm: float

    @property
    def away_deg(self) -> float:
        """Angle between the direction of greatest counts and the axis."""
        return float(np.hypot(*self.off_deg))

    @property
    def sigma_deg(self) -> float:
        """Standard error of that angle, the larger of those of the two directions."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance_deg2)[-1]))

    @property
    def interval_deg(self) -> tuple[float, float]:
        """Interval that holds the angle in at least 95 of 100, also where it is none: of all within their disc."""
        return max(0.0, self.away_deg - SIGMAS_95 * self.sigma_deg), self.away_deg + SIGMAS_95 * self.sigma_deg

    @property
    def towards(self) -> str:
        """The side of the probe to which it looks, seen from behind with its mark up."""
        across, up = self.off_deg.tolist()
        if abs(across) > abs(up):
            return "left" if across > 0 else "right"
        return "up mark" if up > 0 else "side opposite to the up mark"


def calibrate_look(circuit: CountedTrack, response: Response) -> LookDirection:
    """Find in which direction a probe with this response counts most.

    Raises
    ------
    NavigationError
        Where it was hardly tilted or turned, the counts do not follow or come too late, or directions fit alike.
        The sentence says what to do.

    """
    tilt_deg, turn_deg = spread_deg(circuit.turn), turned_deg(circuit.turn)
    if tilt_deg < LEAST_TILT_DEG:
        raise NavigationError(f"the probe was tilted by {tilt_deg:.0f}° only: tilt it to all sides of the source")
    if turn_deg < LEAST_TURN_DEG:
        raise NavigationError(
            f"the probe was turned about its shaft by {turn_deg:.0f}° only: turn it half round and back "
            "meanwhile, or its own axis cannot be told from the way to the source"
        )
    kept = circuit.between_poses(SEARCHED_S)
    if np.count_nonzero(kept) < FEWEST_COUNTS:
        raise NavigationError(f"{np.count_nonzero(kept)} counts are too few: at least {FEWEST_COUNTS}")
    track = _Track(circuit, kept, response)
    ends = follow(track.fit, counts=len(track.counts))
    fit = ends.best
    expected = track.expected(fit.x)
    correlation = float(np.corrcoef(expected, track.counts)[0, 1])
    if not correlation >= LEAST_CORRELATION:
        raise NavigationError(
            f"the counts do not follow the tilt (correlation {correlation:.2f}): is there a point source before "
            "the probe, and is it the probe that is tracked?"
        )
    if ends.is_too_long:
        raise NavigationError(f"the delay is more than {LONGEST_DELAY_S:g} s: look at the clocks and the buffers")
    apart_deg = max(_apart_deg(end.x[6:], fit.x[6:]) for end in ends.alike)
    if apart_deg > ANOTHER_DEG:
        raise NavigationError(
            f"directions {apart_deg:.0f}° apart fit alike: swing it less evenly, tilt and turn not in one rhythm"
        )
    jacobian = np.asarray(fit.jac, dtype=np.float64)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * ends.inflation
    source_mm, tangent = fit.x[:3], fit.x[6:]
    length = float(np.hypot(*tangent))
    return LookDirection(
        off_deg=np.degrees(tangent * (np.arctan(length) / length if length > 0 else 1.0)),
        covariance_deg2=np.degrees(np.degrees(covariance[6:, 6:])),
        correlation=correlation,
        distance_mm=float(np.linalg.norm(circuit.tip_mm - source_mm, axis=1).mean()),
    )


def _apart_deg(one: Array, other: Array) -> float:
    """Angle between two offsets of the axis."""
    first, second = np.array((*one, 1.0)), np.array((*other, 1.0))
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)))


class _Track:
    """The counts between poses, and what source, activity, background, delay and axis let expect of each.

    Parameters of the fit: the source's place (3, mm), log activity, log background, delay (s), and the axis'
    offset towards x and y of the tip's frame (rad, tangent).
    """

    scale = np.array((5.0, 5.0, 5.0, 0.3, 0.5, 0.05, 0.02, 0.02))
    reach = np.array((60.0, 60.0, 60.0, 8.0, 8.0, np.inf, *2 * [np.tan(np.radians(FARTHEST_DEG))]))

    def __init__(self, circuit: CountedTrack, kept: NDArray[np.bool_], response: Response) -> None:
        self._circuit = circuit
        self._response = response
        self.counts = circuit.counts[kept]
        self._live_time_s = circuit.live_time_s[kept]
        parts = (np.arange(PARTS) + 0.5) / PARTS
        # as the probe's own clock has it: the direction asks nothing of when they came
        start_s = circuit.start_s - circuit.lateness_s
        self._at_s = start_s[kept][:, None] + parts * circuit.real_time_s[kept][:, None]

    def fit(self, start_s: float, most: int) -> OptimizeResult:
        """Fit from a delay on, in at most so many steps."""
        start, step = self._start(start_s), np.full(8, 1e-4)
        low, high = start - self.reach, start + self.reach
        low[DELAY], high[DELAY] = -SEARCHED_S, SEARCHED_S
        return least_squares(
            self.residuals, start, x_scale=self.scale, bounds=(low, high), diff_step=step, max_nfev=most
        )

    def _start(self, start_s: float) -> Array:
        """Begin with the source ahead of where it counted most, and the axis as it was given."""
        rates = self.counts / self._live_time_s
        hot = self._at_s[rates >= np.quantile(rates, 0.9)].ravel() - start_s
        tips, axes = self._poses(hot, np.zeros(2))
        source_mm = (tips + START_MM * axes).mean(axis=0)
        unit_cps = float(np.median(self._response.expected_rate_cps(source_mm[None], tips, axes, NoTissue())))
        background_cps = max(float(np.quantile(rates, 0.05)) / 2, 0.1)
        activity = max(float(np.max(rates)) - background_cps, 1.0) / max(unit_cps, 1e-6)
        return np.array((*source_mm, np.log(activity), np.log(background_cps), start_s, 0.0, 0.0))

    def residuals(self, parameters: Array) -> Array:
        return deviance_residuals(self.counts, self.expected(parameters))

    def expected(self, parameters: Array) -> Array:
        """Give the counts that are to be expected of each interval, shape (M,)."""
        source_mm, activity, background_cps = parameters[:3], np.exp(parameters[3]), np.exp(parameters[4])
        tips, axes = self._poses((self._at_s - parameters[DELAY]).ravel(), parameters[6:])
        unit_cps = self._response.expected_rate_cps(source_mm[None], tips, axes, NoTissue())[:, 0]
        rates = activity * unit_cps.reshape(self._at_s.shape).mean(axis=1) + background_cps
        return np.asarray(np.maximum(rates * self._live_time_s, 1e-9))

    def _poses(self, at_s: Array, off: Array) -> tuple[Array, Array]:
        circuit = self._circuit
        axes = circuit.turn @ np.array((*off, 1.0))
        here = np.column_stack((circuit.tip_mm, axes))
        there = np.stack([np.interp(at_s, circuit.at_s, each) for each in here.T], axis=1)
        return there[:, :3], there[:, 3:] / np.linalg.norm(there[:, 3:], axis=1, keepdims=True)
