"""Reads the recordings with known truth that the localisation is judged by: one folder a probe."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.observations import Observations
from navigation.probe.bench import PointSourceCount
from navigation.probe.response import Response
from navigation.probe.response_fit import fit_response
from navigation.tissue import HalfSpace

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A hotspot of a scene's map, as the prior reads it."""

    name: str
    kind: str
    centre_mm: Array
    covariance_mm2: Array
    activity_mbq: float | None
    activity_factor: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What a scene's header tells before the first reading.

    Attributes
    ----------
    response
        The probe's calibration, with the background counted before the scene.
    background_log_sigma
        Of that background.
    tissue
        The skin plane.
    spots
        The map's hotspots: targets first, then injection sites.

    """

    response: Response
    background_log_sigma: float
    tissue: HalfSpace
    spots: tuple[Spot, ...]

    @classmethod
    def of(cls, header: Mapping[str, Any], response: Response) -> Self:
        """Read the header."""
        background, surface = header["background"], header["surface"]
        counted = max(background["counts"], 1)
        spots = [
            Spot(
                name=each["name"],
                kind="injection" if each["kind"] == "injection" else "target",
                centre_mm=np.array(each["position_mm"], dtype=np.float64),
                covariance_mm2=each["sigma_mm"] ** 2 * np.eye(3),
                activity_mbq=each["activity_mbq"],
                activity_factor=each["activity_factor"],
            )
            for each in header["map"]
        ]
        return cls(
            response=replace(response, background_cps=counted / background["live_s"]),
            # counted once beforehand; in theatre it changes
            background_log_sigma=max(counted**-0.5, 0.3),
            tissue=HalfSpace(
                point_mm=np.array(surface["point_mm"], dtype=np.float64),
                normal=np.array(surface["normal"], dtype=np.float64),
            ),
            spots=tuple(sorted(spots, key=lambda each: each.kind == "injection")),
        )

    @property
    def targets(self) -> tuple[Spot, ...]:
        """The map's targets."""
        return tuple(each for each in self.spots if each.kind == "target")

    @property
    def injections(self) -> tuple[Spot, ...]:
        """The map's injection sites."""
        return tuple(each for each in self.spots if each.kind == "injection")

    @property
    def sought(self) -> int:
        """How many targets a peer looks for: as many as the map shows, one where there is no map."""
        return max(len(self.targets), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One recording: what the theatre knows, and the readings in time order.

    Attributes
    ----------
    name, family
        As in its header.
    header
        The first line.
    observations
        All readings.

    """

    name: str
    family: str
    header: dict[str, Any]
    observations: Observations

    def estimator(self, response: Response) -> Estimator:
        """Start from what the header tells."""
        known = Known.of(self.header, response)
        # the map's sigma already holds the shift
        prior = Prior.from_hotspots(known.spots, shift_sigma_mm=0.0)
        return Estimator(known.response, prior, known.tissue, background_log_sigma=known.background_log_sigma)


def dead_time_s(counts: Sequence[dict[str, Any]], background_cps: float) -> float:
    """Non-paralysable dead time from two sources, counted singly and together (Knoll, 4.VII)."""
    rate = {each["which"]: each["counts"] / each["live_s"] for each in counts}
    first, second, both = rate["first"], rate["second"], rate["both"]
    x = first * second - background_cps * both
    y = first * second * (both + background_cps) - background_cps * both * (first + second)
    z = y * (first + second - both - background_cps) / x**2
    return float(x * (1 - np.sqrt(1 - z)) / y)


def read_response(folder: Path) -> Response:
    """Fit a probe's response from its ``calibration.json``."""
    return response_of(json.loads((folder / "calibration.json").read_text()))


def response_of(bench: dict[str, Any]) -> Response:
    """Fit a probe's response to what was counted on the bench, as ``calibration.json`` holds it."""
    background = bench["background"]
    background_cps = background["counts"] / background["live_s"]
    return fit_response(
        [
            PointSourceCount(
                medium=each["medium"],
                distance_mm=each["distance_mm"],
                lateral_mm=each["lateral_mm"],
                angle_deg=each["angle_deg"],
                activity_mbq=each["activity_mbq"],
                live_time_s=each["live_s"],
                counts=each["counts"],
            )
            for each in bench["point_source"]
        ],
        background["counts"],
        background["live_s"],
        dead_time_s(bench["two_source"], background_cps),
        probe=bench["probe"],
        nuclide=bench["nuclide"],
        window_kev=(bench["window_kev"][0], bench["window_kev"][1]),
        calibrated_at="1970-01-01T00:00:00+00:00",  # the recordings do not say
        tip_above_water_mm=bench["tip_to_water_mm"],
    )[0]


def read_scene(file: Path) -> Scene:
    """Read one recording."""
    header, *readings = [json.loads(line) for line in file.read_text().splitlines()]
    axis = np.array([each["axis"] for each in readings])
    live_time_s = np.array([each["live_s"] for each in readings])
    observations = Observations(
        counts=np.array([each["counts"] for each in readings], dtype=np.float64),
        live_time_s=live_time_s,
        tip_mm=np.array([each["tip_mm"] for each in readings]),
        axis=axis / np.linalg.norm(axis, axis=1)[:, None],
        taken_at_s=np.array([each["t_s"] for each in readings]) + live_time_s / 2,
    )
    return Scene(name=header["scene"], family=header["family"], header=header, observations=observations)


def scene_files(folder: Path, *, only: str | None, most: int | None) -> Iterator[Path]:
    """List one probe's recordings by family and seed, at most ``most`` a family."""
    seen: dict[str, int] = {}
    for file in sorted((folder / "scenes").glob("*.jsonl")):
        family = file.stem.rsplit("-", 1)[0]
        seen[family] = seen.get(family, 0) + 1
        if (only is None or family == only) and (most is None or seen[family] <= most):
            yield file
