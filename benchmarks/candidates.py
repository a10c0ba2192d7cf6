"""How many nodes are found, and how many that are not there: on drawn SPECT studies with known truth.

``python -m benchmarks.candidates [--studies N]`` draws patients from seeds, finds candidates in each, and prints
JSON: the table in docs/studies.md. The camera, its blur and its counts are the simulators', never navigation's;
counts are thinned and smoothed, and each injection site has a halo.

A node counts as found where a target lies within 8 mm; each target found is one node's at most. Any other target
is false, also one beside the injection. A node that was missed counts as announced where a spot
tells persons that it may hide one so near to it, or the hottest that one so faint may be missed anywhere.
"""

import argparse
import itertools
import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from navigation.hotspots import Hotspot, Resolution, find_candidates
from navigation.hotspots.masking import MASKED_SHARE
from navigation.volume import Volume, VolumeGeometry
from simulators.console.images import COUNTS_PER_BQ_PER_ML, Grid, spect_counts
from simulators.scene import Scene, Source

NEAR_MM = 8.0
GRID = Grid(shape=(56, 80, 96), spacing_mm=(4.0, 4.0, 4.0))
ASSUMED = Resolution(fwhm_mm=9.0, sigma_mm=2.0, words="usual for a low-energy collimator")
"""As of an object that names one; with the reconstruction's filter it is wider here."""

SHARES = (0.02, 0.3)
"""Share of the simulated camera's counts that a study holds: short scans, thick patients, late hours."""

FILTER_VOXELS = 0.7
"""Smoothing of a reconstruction: its noise is not that of single voxels."""

HALO = (0.0, 0.2)
"""Share of an injection's activity that is seen around it."""

NEAR_INJECTION_MM = 60.0

ACTIVITY_MBQ = (0.003, 0.01, 0.03, 0.1, 0.3, 1.5)
"""Bounds of the classes of nodes."""

APART_MM = (20.0, 40.0, 70.0, 400.0)
"""Bounds of the classes of distance to the injection site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one node."""

    activity_mbq: float
    apart_mm: float
    is_found: bool
    is_announced: bool
    error_mm: float


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a patient: none to three nodes 10 to 60 mm deep, in two of three an injection site of 5 to 60 MBq.

    Every second node beside an injection lies within 60 mm of it, where a breast's or a mouth's do.
    """
    scene = Scene(hours_since_scan=0.0, background_bq_per_ml=float(rng.uniform(20, 150)))
    sources: list[Source] = []
    if rng.random() < 2 / 3:
        sources.append(_draw_source(rng, scene, "injection", np.exp(rng.uniform(np.log(5), np.log(60))), 8.0))
    for number in range(int(rng.integers(0, 4))):
        activity_mbq = np.exp(rng.uniform(np.log(ACTIVITY_MBQ[0]), np.log(ACTIVITY_MBQ[-1])))
        is_near = bool(sources) and sources[0].kind == "injection" and rng.random() < 0.5
        for _ in range(1000):
            node = _draw_source(rng, scene, f"node {number}", activity_mbq, float(rng.uniform(2, 8)))
            apart_mm = [float(np.linalg.norm(node.centre_mm - other.centre_mm)) for other in sources]
            if is_near and apart_mm[0] > NEAR_INJECTION_MM:
                continue
            if all(apart > APART_MM[0] for apart in apart_mm):
                sources.append(node)
                break
    return Scene(hours_since_scan=0.0, background_bq_per_ml=scene.background_bq_per_ml, sources=tuple(sources))


def _draw_source(
    rng: np.random.Generator, scene: Scene, name: str, activity_mbq: float, radius_mm: float
) -> Source:
    skin_mm, outward = scene.body.skin(float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-80, 80)))
    return Source(
        name=name,
        kind="injection" if name == "injection" else "target",
        centre_mm=skin_mm - rng.uniform(10, 60) * outward,
        activity_mbq=float(activity_mbq),
        radius_mm=radius_mm,
    )


def scan(scene: Scene, rng: np.random.Generator) -> Volume:
    """Let the simulated camera take it."""
    z_mm, y_mm, x_mm = GRID.spacing_mm
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, x_mm], [0, y_mm, 0], [z_mm, 0, 0]])
    affine[:3, 3] = GRID.origin_mm
    share = float(np.exp(rng.uniform(*np.log(SHARES))))
    counts = rng.binomial(spect_counts(scene, GRID, rng), share) + rng.poisson(_halo(scene, rng) * share)
    smooth = gaussian_filter(counts.astype(np.float64), FILTER_VOXELS)
    values: NDArray[np.float32] = (smooth / (share * COUNTS_PER_BQ_PER_ML)).astype(np.float32)
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=GRID.shape, frame_of_reference_uid="1.2")
    return Volume(geometry=geometry, values=values, quantity="activity concentration", unit="Bq/mL")


def _halo(scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    """Give counts a voxel by scatter and septal penetration around an injection site: a wide exponential."""
    halo = np.zeros(GRID.shape)
    for source in scene.sources:
        if source.kind == "injection":
            fall = np.exp(-np.linalg.norm(GRID.centres_mm - source.centre_mm, axis=-1) / rng.uniform(10, 20))
            counts = rng.uniform(*HALO) * source.activity_mbq * 1e6 / GRID.voxel_ml * COUNTS_PER_BQ_PER_ML
            halo += counts * fall / fall.sum()
    return halo


def judge(scene: Scene, spots: tuple[Hotspot, ...]) -> tuple[list[Finding], int]:
    """Say of each node whether it was found, and how many targets are none."""
    nodes = [source for source in scene.sources if source.kind == "target"]
    injections = [source for source in scene.sources if source.kind == "injection"]
    # an injection alone, or beside a node as hot as a twentieth of it, is found as a target: that is no false one
    free = [
        spot
        for spot in spots
        if spot.kind == "target" and all(_distance_mm(spot, one) > NEAR_MM for one in injections)
    ]
    findings = []
    for node in sorted(nodes, key=lambda one: -one.activity_mbq):
        apart_mm = min(
            (float(np.linalg.norm(node.centre_mm - one.centre_mm)) for one in injections), default=np.inf
        )
        nearest = min(free, key=lambda spot: _distance_mm(spot, node), default=None)
        is_found = nearest is not None and _distance_mm(nearest, node) < NEAR_MM
        findings.append(
            Finding(
                activity_mbq=node.activity_mbq,
                apart_mm=apart_mm,
                is_found=is_found,
                is_announced=not is_found and _is_announced(node, scene, spots),
                error_mm=_distance_mm(nearest, node) if nearest is not None and is_found else np.nan,
            )
        )
        if is_found:
            free = [spot for spot in free if spot is not nearest]
    return findings, len(free)


def _is_announced(node: Source, scene: Scene, spots: tuple[Hotspot, ...]) -> bool:
    """Whether a spot tells persons that it may hide a node there, or the hottest that so faint a one be missed."""
    if any(spot.masking and _distance_mm(spot, node) < (spot.masked_within_mm or 0.0) for spot in spots):
        return True
    if not spots or not spots[0].masking:
        return False
    hottest = min(scene.sources, key=lambda source: _distance_mm(spots[0], source))
    share = spots[0].masked_share or 0.0
    return share > MASKED_SHARE and node.activity_mbq < share * hottest.activity_mbq


def _distance_mm(spot: Hotspot, source: Source) -> float:
    return float(np.linalg.norm(spot.centre_mm - source.centre_mm))


def run(studies: int) -> dict[str, object]:
    """Draw so many studies and judge them all."""
    findings: list[Finding] = []
    false = Counter[int]()
    for seed in range(studies):
        rng = np.random.default_rng([seed, 6])
        scene = draw_scene(rng)
        spots, _ = find_candidates(scan(scene, rng), ASSUMED)
        found, wrong = judge(scene, spots)
        findings += found
        false[wrong] += 1
    return {
        "studies": studies,
        "nodes": len(findings),
        "false_per_study": sum(number * count for number, count in false.items()) / studies,
        "median_error_mm": float(np.nanmedian([one.error_mm for one in findings])),
        "by_activity": _classes(findings, "activity_mbq", ACTIVITY_MBQ),
        "by_distance": _classes(findings, "apart_mm", APART_MM),
        "without_injection": _rates([one for one in findings if np.isinf(one.apart_mm)]),
    }


def _classes(findings: list[Finding], name: str, bounds: tuple[float, ...]) -> dict[str, object]:
    return {
        f"{low:g}-{high:g}": _rates([one for one in findings if low <= getattr(one, name) < high])
        for low, high in itertools.pairwise(bounds)
    }


def _rates(findings: list[Finding]) -> dict[str, float | None]:
    count = len(findings)
    return {
        "nodes": count,
        "found": sum(one.is_found for one in findings) / count if count else None,
        "announced": sum(one.is_announced for one in findings) / count if count else None,
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    print(json.dumps(run(parser.parse_args().studies), indent=2))


if __name__ == "__main__":
    main()
