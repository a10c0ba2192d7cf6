"""A bootstrap particle filter (Gordon, Salmond and Smith, IEE Proc. F 140, 1993).

Nothing here moves, so resampled particles have to be roughened. Gordon's jitter, a share of their range, widens
what the counts do not hold with every resampling, until beside an injection site, where each reading resamples,
all is lost; so they are drawn to their mean by as much as the jitter spreads them (Liu and West, 2001).
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.answers import Answer
from benchmarks.recordings import Known
from navigation.estimation.prior import NODE_ACTIVITY_FACTOR, NODE_ACTIVITY_MBQ
from navigation.image.rate_table import RateTable
from navigation.observations import Observations

Array = NDArray[np.float64]

PARTICLES = 10_000

ROUGHENING = 0.2
"""Jitter after resampling over the standard deviation of the particles."""

ANYWHERE = 0.05
"""Share of particles that ignore the map, as our own prior does."""

ASIDE_MM, DEEPEST_MM = 50.0, 60.0
"""Half width and depth of the box in which they lie, below the first pose."""


class ParticleFilter:
    """State: place and log activity of one source a hotspot (or of one in all), and the log background.

    Resampled systematically once fewer than half the particles count, then roughened.
    """

    name = f"bootstrap particle filter, {PARTICLES}"
    readings_at_once: int | None = 1

    def __init__(self, known: Known, rng: np.random.Generator) -> None:
        self._known = known
        self._rng = rng
        self._table = RateTable(known.response)
        self._state = np.zeros((0, 0))
        self._log_weight = np.zeros(PARTICLES)
        self._sources = max(len(known.spots), 1)

    def _start(self, tip_mm: Array) -> None:
        skin = self._known.tissue.skin_at(tip_mm[None])
        normal = skin.normal[0]
        aside = np.linalg.svd(normal[None])[2][1:]
        below = tip_mm - skin.height_mm[0] * normal

        def anywhere(size: int) -> Array:
            lateral = self._rng.uniform(-ASIDE_MM, ASIDE_MM, (size, 2)) @ aside
            return np.asarray(below + lateral - self._rng.uniform(0, DEEPEST_MM, (size, 1)) * normal)

        columns = []
        for spot in self._known.spots:
            places = self._rng.multivariate_normal(spot.centre_mm, spot.covariance_mm2, PARTICLES)
            if spot.kind == "target":
                lost = self._rng.random(PARTICLES) < ANYWHERE
                places[lost] = anywhere(int(lost.sum()))
            middle = np.log(spot.activity_mbq or NODE_ACTIVITY_MBQ)
            factor = spot.activity_factor if spot.activity_mbq else NODE_ACTIVITY_FACTOR
            columns += [places, self._rng.normal(middle, np.log(factor), (PARTICLES, 1))]
        if not columns:
            activity = self._rng.normal(np.log(NODE_ACTIVITY_MBQ), np.log(NODE_ACTIVITY_FACTOR), (PARTICLES, 1))
            columns += [anywhere(PARTICLES), activity]
        background = np.log(self._known.response.background_cps)
        columns.append(self._rng.normal(background, self._known.background_log_sigma, (PARTICLES, 1)))
        self._state = np.hstack(columns)

    def add(self, observations: Observations) -> None:
        """Weigh the particles by each reading in turn."""
        for row in range(len(observations)):
            if not len(self._state):
                self._start(observations.tip_mm[0])
            tip, axis = observations.tip_mm[row : row + 1], observations.axis[row : row + 1]
            sources = self._state[:, :-1].reshape(PARTICLES, self._sources, 4)
            places = sources[..., :3].reshape(-1, 3)
            rates = self._table.rates_cps(places, tip, axis, self._known.tissue.skin_at(tip))
            rate = np.exp(self._state[:, -1])
            rate += (rates.reshape(PARTICLES, self._sources) * np.exp(sources[..., 3])).sum(axis=1)
            expected = observations.live_time_s[row] * rate / (1 + rate * self._known.response.dead_time_s)
            self._log_weight += observations.counts[row] * np.log(expected) - expected
            # no source lies outside the body
            height = self._known.tissue.skin_at(places).height_mm.reshape(PARTICLES, self._sources)
            self._log_weight[(height > 0).any(axis=1)] = -1e9
            self._resample()

    @property
    def _weight(self) -> Array:
        weight = np.exp(self._log_weight - self._log_weight.max())
        return np.asarray(weight / weight.sum())

    def _resample(self) -> None:
        weight = self._weight
        if 1 / np.square(weight).sum() > PARTICLES / 2:
            return
        places = (np.arange(PARTICLES) + self._rng.random()) / PARTICLES
        chosen = np.minimum(np.searchsorted(np.cumsum(weight), places), PARTICLES - 1)
        state = self._state[chosen]
        mean, jitter = state.mean(axis=0), ROUGHENING * state.std(axis=0)
        drawn = mean + np.sqrt(1 - ROUGHENING**2) * (state - mean)
        self._state = drawn + jitter * self._rng.standard_normal(state.shape)
        self._log_weight = np.zeros(PARTICLES)

    def answers(self) -> list[Answer]:
        """Name each target's mean and covariance."""
        if not len(self._state):
            return []
        weight = self._weight
        found = []
        for number in range(self._known.sought):
            places = self._state[:, 4 * number : 4 * number + 3]
            mean = weight @ places
            offset = places - mean
            found.append(Answer(position_mm=mean, covariance_mm2=(offset.T * weight) @ offset + 1e-6 * np.eye(3)))
        return found
