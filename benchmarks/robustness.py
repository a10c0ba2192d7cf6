"""How much worse the answer gets when a recording with known truth is disturbed, and what the sieve saves.

``python -m benchmarks.robustness --data DIR`` prints a JSON line for each family and disturbance. Each scene is
replayed undisturbed, disturbed, and disturbed with what the service does about it:
``navigation.screening.sieve``, and for a smoothed rate ``navigation.statistics.ratemeter``. Errors are those
after the last reading; a target that is not found has an infinite one, printed as null. ``ratio`` is the median
error with the remedy over the undisturbed one.
"""

import argparse
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.disturbances import DISTURBANCES, Patient
from benchmarks.localisation import matched
from benchmarks.recordings import read_response, read_scene, scene_files
from navigation.estimation.estimate import CHI2_95
from navigation.observations import Observations

FAMILIES = ("isolated-20mm", "isolated-30mm", "shine-40mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one replay ended.

    Attributes
    ----------
    errors_mm
        Of each true target; infinite where it is not found.
    covered
        Whether the 95 % region of each found one holds it.
    false_targets
        Shown where there is none.
    is_consistent
        Whether the counts were said to fit.

    """

    errors_mm: list[float]
    covered: list[bool]
    false_targets: int
    is_consistent: bool


def replay(patient: Patient, observations: Observations, batch: int) -> Outcome:
    """Feed an estimator that knows the scene's header, so many readings at a time."""
    estimator = patient.scene.estimator(patient.response)
    posterior = estimator.add(Observations.empty())
    for start in range(0, len(observations), batch):
        posterior = estimator.add(observations.take(np.arange(start, min(start + batch, len(observations)))))
    sought = [each for each in patient.truth if each["kind"] != "injection"]
    pairs = matched(posterior, sought)
    off_mm = [
        None if target is None else target.centre_mm - np.array(true["position_mm"])
        for true, target in zip(sought, pairs, strict=True)
    ]
    used = {id(each) for each in pairs if each is not None}
    shown = [each for each in posterior.targets if each.kind == "target" and each.is_localisable]
    return Outcome(
        errors_mm=[float("inf") if each is None else float(np.linalg.norm(each)) for each in off_mm],
        covered=[
            bool(off @ np.linalg.solve(target.covariance_mm2, off) <= CHI2_95)
            for off, target in zip(off_mm, pairs, strict=True)
            if off is not None and target is not None
        ],
        false_targets=sum(id(each) not in used for each in shown),
        is_consistent=posterior.is_consistent,
    )


def _number(outcomes: list[Outcome]) -> float | None:
    median = float(np.median([error for each in outcomes for error in each.errors_mm]))
    return round(median, 2) if np.isfinite(median) else None


def _share(held: list[bool]) -> float | None:
    return round(sum(held) / len(held), 3) if held else None


def compare(name: str, patients: list[Patient], clean: list[Outcome], batch: int) -> dict[str, Any]:
    """Replay one family's scenes with one disturbance, left alone and remedied; return the JSON line."""
    disturb, remedy = DISTURBANCES[name]
    alone: list[Outcome] = []
    remedied: list[Outcome] = []
    rejected: dict[str, int] = {}
    for patient in patients:
        seed = zlib.crc32(f"{patient.scene.name} {name}".encode())
        disturbed = disturb(patient, np.random.default_rng(seed))
        alone.append(replay(patient, disturbed, batch))
        helped, reasons = remedy(disturbed, patient)
        # what lets all through has changed nothing
        is_same = len(helped) == len(disturbed) and np.array_equal(helped.taken_at_s, disturbed.taken_at_s)
        remedied.append(alone[-1] if is_same else replay(patient, helped, batch))
        for reason, count in reasons.items():
            rejected[reason] = rejected.get(reason, 0) + count
    undisturbed_mm, median_mm = _number(clean), _number(remedied)
    return {
        "family": patients[0].scene.family,
        "disturbance": name,
        "scenes": len(patients),
        "undisturbed_mm": undisturbed_mm,
        "unremedied_mm": _number(alone),
        "median_mm": median_mm,
        "ratio": None if undisturbed_mm is None or median_mm is None else round(median_mm / undisturbed_mm, 2),
        "undisturbed_covered": _share([held for each in clean for held in each.covered]),
        "unremedied_covered": _share([held for each in alone for held in each.covered]),
        "covered": _share([held for each in remedied for held in each.covered]),
        "false_targets": sum(each.false_targets for each in remedied),
        "said_to_fit": _share([each.is_consistent for each in remedied]),
        "rejected": rejected,
    }


def read_patients(folder: Path, family: str, most: int | None) -> list[Patient]:
    """Read one probe's scenes of one family."""
    bench = json.loads((folder / "calibration.json").read_text())
    widest = max(
        (each for each in bench["point_source"] if each["medium"] == "air"), key=lambda each: each["angle_deg"]
    )
    background_cps = bench["background"]["counts"] / bench["background"]["live_s"]
    leak_cps = max(widest["counts"] / widest["live_s"] - background_cps, 0.0) / widest["activity_mbq"]
    truth = json.loads((folder / "truth.json").read_text())
    response = read_response(folder)
    scenes = [read_scene(file) for file in scene_files(folder, only=family, most=most)]
    return [
        Patient(scene=each, truth=truth[each.name], response=response, leak_cps_per_mbq=leak_cps)
        for each in scenes
    ]


def main() -> None:
    """Read the arguments, disturb, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a probe's folder, or the folder above it")
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--disturbances", nargs="+", default=list(DISTURBANCES), choices=DISTURBANCES)
    parser.add_argument("--scenes", type=int, help="at most so many scenes a family")
    parser.add_argument("--batch", type=int, default=10, help="readings an update; 1 is as they come")
    chosen = parser.parse_args()
    folders = [chosen.data] if (chosen.data / "calibration.json").exists() else sorted(chosen.data.iterdir())
    for folder in folders:
        if not (folder / "calibration.json").exists():
            continue
        for family in chosen.families:
            patients = read_patients(folder, family, chosen.scenes)
            if not patients:
                continue
            clean = [replay(each, each.scene.observations, chosen.batch) for each in patients]
            for name in chosen.disturbances:
                line = compare(name, patients, clean, chosen.batch)
                print(json.dumps({"probe": patients[0].response.probe} | line), flush=True)


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # as the service runs it
        main()
