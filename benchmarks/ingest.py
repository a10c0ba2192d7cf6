"""How fast the storage node takes a study in, beside DCMTK's ``storescp --fork`` and Orthanc.

Each association brings one CT series of 400 slices 512 x 512 and one NM volume of 128 slices, sent by DCMTK's
``dcmsend``; one and four associations at once. Ours makes file and folder durable before it answers, as Orthanc
does by default; ``storescp`` does not. ``TCP_NODELAY`` is on for all: without it DCMTK waits 40 ms an image.
Servers take turns, so that whatever else the machine does meets all of them; medians are reported.

    python -m benchmarks.ingest --runs 5
    python -m benchmarks.ingest --runs 5 --folder /dev/shm

The second keeps the objects in memory, where durability costs nothing: the software alone, without the disk.

DCMTK and Orthanc bind every address, so all of it runs in a network namespace of its own.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, NuclearMedicineImageStorage, generate_uid

PORT = 11112
AE_TITLE = "BENCH"
START_TIME_S = 30.0
NAMESPACE = "RADIONAV_BENCHMARK_NAMESPACE"
"""Set in the environment of the process that runs in the private network namespace."""

MEGABYTE = 1_000_000
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}


# --- what is sent ---------------------------------------------------------------------------------------------


def _object(sop_class: str, study_uid: str, series_uid: str, modality: str) -> Dataset:
    written = Dataset()
    written.SOPClassUID, written.SOPInstanceUID = UID(sop_class), generate_uid()
    written.StudyInstanceUID, written.SeriesInstanceUID = study_uid, series_uid
    written.PatientName, written.PatientID = "BENCH^INGEST", "BENCH-1"
    written.Modality, written.StudyDate, written.StudyTime = modality, "20260101", "101500"
    written.SamplesPerPixel, written.PhotometricInterpretation = 1, "MONOCHROME2"
    written.BitsAllocated = written.BitsStored = 16
    written.HighBit, written.PixelRepresentation = 15, 0
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = written.SOPClassUID, written.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written.file_meta = meta
    return written


def write_study(folder: Path, *, slices: int, rng: np.random.Generator) -> None:
    """Write one association's study: so many CT slices and an NM volume."""
    folder.mkdir(parents=True)
    study_uid, ct_uid, nm_uid = generate_uid(), generate_uid(), generate_uid()
    noise = rng.integers(0, 4096, 512 * 512 + slices, dtype="<u2")
    for number in range(slices):
        ct = _object(CTImageStorage, study_uid, ct_uid, "CT")
        ct.InstanceNumber, ct.Rows, ct.Columns = number + 1, 512, 512
        ct.ImagePositionPatient, ct.ImageOrientationPatient = [-250, -250, 1.5 * number], [1, 0, 0, 0, 1, 0]
        ct.PixelSpacing, ct.SliceThickness = [0.9765625, 0.9765625], 1.5
        ct.RescaleIntercept, ct.RescaleSlope = -1024, 1
        ct.PixelData = noise[number : number + 512 * 512].tobytes()
        ct["PixelData"].VR = "OW"
        ct.save_as(folder / f"ct{number:04}.dcm", enforce_file_format=True)
    nm = _object(NuclearMedicineImageStorage, study_uid, nm_uid, "NM")
    nm.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    nm.NumberOfFrames = nm.Rows = nm.Columns = 128
    nm.PixelSpacing, nm.SliceThickness = [4.4, 4.4], 4.4
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [-280, -280, 0], [1, 0, 0, 0, 1, 0]
    nm.DetectorInformationSequence = Items([detector])
    nm.PixelData = rng.poisson(2.0, (128, 128, 128)).astype("<u2").tobytes()
    nm["PixelData"].VR = "OW"
    nm.save_as(folder / "nm.dcm", enforce_file_format=True)


# --- who receives it ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A receiving server: its name, the program it needs, how it is started on a folder."""

    name: str
    program: str | None
    start: Callable[[Path], subprocess.Popen[bytes]]


def _start(arguments: Sequence[str], *, said: bytes | None = None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - the servers' own commands
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    if said is not None and process.stdin is not None:
        process.stdin.write(said)
        process.stdin.flush()
    return process


def _start_ours(folder: Path) -> subprocess.Popen[bytes]:
    settings = {
        "ae_title": AE_TITLE,
        "port": PORT,
        "folder": str(folder),
        "allowed_ae_titles": ["*"],
        "free_floor_mb": 0,
        "quiet_s": 600,
    }
    return _start([sys.executable, "-m", "devices.dicom.node"], said=json.dumps(settings).encode() + b"\n")


def _start_dcmtk(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    return _start(["storescp", "--fork", "-aet", AE_TITLE, "-od", str(folder), str(PORT)])


def _start_orthanc(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    settings = {
        "Name": AE_TITLE,
        "DicomAet": AE_TITLE,
        "DicomPort": PORT,
        "HttpServerEnabled": False,
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": [],
    }
    written = folder / "orthanc.json"
    written.write_text(json.dumps(settings))
    return _start([shutil.which("Orthanc", path=SYSTEM_PATH) or "Orthanc", str(written)])


SERVERS = (
    Server(name="radionav", program=None, start=_start_ours),
    Server(name="dcmtk", program="storescp", start=_start_dcmtk),
    Server(name="orthanc", program="Orthanc", start=_start_orthanc),
)


@contextmanager
def running(server: Server, folder: Path) -> Iterator[int]:
    """Run a server on an empty folder; gives its process id."""
    process = server.start(folder)
    try:
        until_s = time.monotonic() + START_TIME_S
        while True:
            with socket.socket() as probing:
                if probing.connect_ex(("127.0.0.1", PORT)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"{server.name} does not listen (exit code {process.poll()})")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _family(pid: int) -> list[int]:
    children: list[str] = []
    with suppress(ProcessLookupError, FileNotFoundError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def cpu_s(pid: int) -> float:
    """User and system time of a process, its children that live and those that have ended."""
    ticks = 0
    for member in _family(pid):
        with suppress(ProcessLookupError, FileNotFoundError):  # then its parent has its time
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(") ")[2].split()
            ticks += sum(map(int, fields[11:15] if member == pid else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children, what they share counted once (PSS)."""
    found = 0
    for member in _family(pid):
        with suppress(ProcessLookupError, FileNotFoundError):  # a fork of storescp's ends with its association
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
            found += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found / 1000


# --- measuring ------------------------------------------------------------------------------------------------


def measure(server: Server, studies: Sequence[Path], folder: Path, *, objects: int) -> dict[str, float]:
    """Send each study in an association of its own, all at once, to a fresh server."""
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()
    size = sum(path.stat().st_size for study in studies for path in study.iterdir())
    with running(server, folder) as pid:
        before_s, began_s = cpu_s(pid), time.perf_counter()
        senders = [
            subprocess.Popen(  # noqa: S603 - a known command
                [
                    shutil.which("dcmsend") or "dcmsend",
                    "-q",
                    "-aec",
                    AE_TITLE,
                    "127.0.0.1",
                    str(PORT),
                    "--scan-directories",
                    str(study),
                ],
                env=ENVIRONMENT,
            )
            for study in studies
        ]
        codes = [sender.wait() for sender in senders]
        took_s = time.perf_counter() - began_s
        measured = {"cpu_s": cpu_s(pid) - before_s, "rss_mb": resident_mb(pid)}
    if any(codes):
        raise RuntimeError(f"{server.name}: dcmsend ended with {codes}")
    if server.name == "radionav" and len(list(folder.glob("*/*.dcm"))) != objects:
        raise RuntimeError(f"{len(list(folder.glob('*/*.dcm')))} of {objects} objects are there")
    return {"img_s": objects / took_s, "mb_s": size / MEGABYTE / took_s, "s": took_s} | measured


def durable_ms(folder: Path, size: int) -> float:
    """Time that the disk takes for one file of ``size`` bytes and its folder, median of 20: a floor for all."""
    content, times = os.urandom(size), []
    with tempfile.TemporaryDirectory(dir=folder) as named:
        place = os.open(named, os.O_RDONLY)
        for number in range(20):
            began_s = time.perf_counter()
            file = os.open(f"{named}/new", os.O_CREAT | os.O_WRONLY)
            os.write(file, content)
            os.fsync(file)
            Path(f"{named}/new").rename(f"{named}/{number}")
            os.fsync(place)
            times.append(time.perf_counter() - began_s)
            os.close(file)
        os.close(place)
    return 1000 * statistics.median(times)


def compare(folder: Path, *, runs: int, slices: int) -> None:
    """Measure every server that is installed and print a JSON line for each, and last the ratios."""
    rng = np.random.default_rng(1)
    studies = [folder / "sent" / str(number) for number in range(4)]
    for study in studies:
        write_study(study, slices=slices, rng=rng)
    objects = slices + 1
    servers = [one for one in SERVERS if one.program is None or shutil.which(one.program, path=SYSTEM_PATH)]
    for missing in (one for one in SERVERS if one not in servers):
        print(json.dumps({"server": missing.name, "note": f"{missing.program} is not installed: not measured"}))
    print(json.dumps({"disk_ms": round(durable_ms(folder, 512 * 512 * 2), 2), "note": "one slice made durable"}))
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(runs):
        for associations in (1, 4):
            for server in servers:
                one = measure(server, studies[:associations], folder / "kept", objects=objects * associations)
                found.setdefault((server.name, associations), []).append(one)
    medians = {
        key: {name: statistics.median(one[name] for one in visits) for name in visits[0]}
        for key, visits in found.items()
    }
    for (name, associations), median in medians.items():
        line: dict[str, Any] = {"server": name, "associations": associations, "runs": runs}
        print(json.dumps(line | {key: round(value, 2) for key, value in median.items()}))
    ratios = {
        f"ratio_{name}_{associations}": round(medians["radionav", associations]["img_s"] / median["img_s"], 3)
        for (name, associations), median in medians.items()
        if name != "radionav"
    }
    print(json.dumps(ratios or {"note": "no peer is installed: ours alone"}))


def _enter_namespace() -> None:
    """Run this again in a network namespace of its own, with only its loopback."""
    command = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]
    again = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-m", "benchmarks.ingest"]
    os.environ[NAMESPACE] = "1"
    os.execvp(command[0], [*command, *again, *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="visits to each server; medians are printed")
    parser.add_argument("--slices", type=int, default=400, help="CT slices an association")
    parser.add_argument("--folder", type=Path, default=None, help="where objects are sent from and kept")
    chosen = parser.parse_args()
    if not shutil.which("dcmsend"):
        sys.exit("dcmsend is not installed: apt install dcmtk")
    if NAMESPACE not in os.environ:
        _enter_namespace()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        compare(Path(folder), runs=chosen.runs, slices=chosen.slices)


if __name__ == "__main__":
    main()
