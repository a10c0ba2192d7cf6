"""From files to volumes: a CT of 400 slices and an NM reconstruction, beside SimpleITK.

``python -m benchmarks.volumes [--runs N] [--slices N]`` writes both once, reads them in turn N times by each
reader (the NM, which takes milliseconds, twenty times as often), and prints JSON: median and range of wall and
processor time, the median over the pairs of ours over theirs, and whether both gave the same numbers.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from acquisition.studies import read_study
from benchmarks.studies import write_study

Reader = Callable[[Sequence[Path]], NDArray[np.generic]]


def read_ct(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read a CT by this project: from files to HU in the patient."""
    volume = read_study(paths).anatomy
    assert volume is not None, "the benchmark's own CT was refused"  # noqa: S101
    return volume.values


def read_nm(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read an NM reconstruction by this project."""
    volume = read_study(paths).activity
    assert volume is not None, "the benchmark's own NM was refused"  # noqa: S101
    return volume.values


def read_ct_itk(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read the same by SimpleITK: GDCM finds the series and sorts it, the series reader reads it."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(paths[0].parent)))
    return np.asarray(SimpleITK.GetArrayFromImage(reader.Execute()))


def read_nm_itk(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read an NM reconstruction by SimpleITK."""
    return np.asarray(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(paths[0]))))


def compare(ours: Reader, peer: Reader, paths: Sequence[Path], runs: int) -> dict[str, object]:
    """Read in turn, so that what else the machine does falls on both."""
    took: dict[str, list[tuple[float, float]]] = {"radionav": [], "SimpleITK": []}
    values: dict[str, NDArray[np.generic]] = {}
    for _ in range(runs):
        for name, reader in (("radionav", ours), ("SimpleITK", peer)):
            wall_s, processor_s = time.perf_counter(), time.process_time()
            values[name] = reader(paths)
            took[name].append((time.perf_counter() - wall_s, time.process_time() - processor_s))
    pairs = np.array(took["radionav"]) / np.array(took["SimpleITK"])
    return {
        "ours_over_theirs": {
            "wall": float(np.median(pairs[:, 0])),
            "processor": float(np.median(pairs[:, 1])),
        },
        "shape": list(values["radionav"].shape),
        "same_numbers": bool(np.array_equal(values["radionav"], values["SimpleITK"])),
        **{
            name: {
                "wall_s": statistics.median(wall for wall, _ in each),
                "wall_range_s": [min(each)[0], max(each)[0]],
                "processor_s": statistics.median(processor for _, processor in each),
            }
            for name, each in took.items()
        },
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slices", type=int, default=400)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_study(folder / "study", slices=asked.slices, rng=np.random.default_rng(1))
        (folder / "nm").mkdir()
        nm = (folder / "study" / "nm.dcm").rename(folder / "nm" / "nm.dcm")
        ct = sorted((folder / "study").glob("ct*.dcm"))
        print(
            json.dumps(
                {
                    "ct": compare(read_ct, read_ct_itk, ct, asked.runs),
                    "nm": compare(read_nm, read_nm_itk, [nm], 20 * asked.runs),
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
