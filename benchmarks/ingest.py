"""How fast the storage node takes a study in, beside DCMTK's ``storescp --fork`` and Orthanc.

Each association brings one CT series of 400 slices 512 x 512 and one NM volume of 128 slices, sent by DCMTK's
``dcmsend``; one and four associations at once. Ours makes file and folder durable before it answers, as Orthanc
does by default; ``storescp`` does not. Where there is a C compiler, a second ``storescp`` is measured that is made
to (``peers/durable.c``). ``TCP_NODELAY`` is on for all: without it DCMTK waits 40 ms an image.
Servers take turns, so that whatever else the machine does meets all of them; medians are reported.

    python -m benchmarks.ingest --runs 5
    python -m benchmarks.ingest --runs 5 --folder /dev/shm

    python -m benchmarks.ingest --memory

The second keeps the objects in memory, where durability costs nothing: the software alone, without the disk. The
third shows what memory ours takes, whatever comes.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.studies import write_large, write_small, write_study

PORT = 11112
AE_TITLE = "BENCH"
START_TIME_S = 30.0
NAMESPACE = "RADIONAV_BENCHMARK_NAMESPACE"
"""Set in the environment of the process that runs in the private network namespace."""

MEGABYTE = 1_000_000
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}

DURABLE = Path(__file__).with_name("peers") / "durable.c"


# --- who receives it ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A receiving server: its name, the program it needs, how it is started on a folder."""

    name: str
    program: str | None
    start: Callable[[Path], subprocess.Popen[bytes]]


def _start(
    arguments: Sequence[str], *, said: bytes | None = None, environment: Mapping[str, str] = ENVIRONMENT
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - the servers' own commands
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
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
        "free_floor_mb": 1,
        "quiet_s": 600,
    }
    return _start([sys.executable, "-m", "devices.dicom"], said=json.dumps(settings).encode() + b"\n")


def _start_dcmtk(folder: Path, environment: Mapping[str, str] = ENVIRONMENT) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    command = ["storescp", "--fork", "-aet", AE_TITLE, "-od", str(folder), str(PORT)]
    return _start(command, environment=environment)


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


OURS = Server(name="radionav", program=None, start=_start_ours)

SERVERS = (
    OURS,
    Server(name="dcmtk", program="storescp", start=_start_dcmtk),
    Server(name="orthanc", program="Orthanc", start=_start_orthanc),
)


def _durable_dcmtk(folder: Path) -> Server | None:
    """``storescp``, and a library in ``folder`` by which it writes durably; None without a compiler."""
    compiler, library = shutil.which("cc"), folder / "durable.so"
    if compiler is None:
        return None
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(DURABLE)]
    subprocess.run(command, check=True)  # noqa: S603 - a known command
    environment = ENVIRONMENT | {"LD_PRELOAD": str(library)}
    return Server(name="dcmtk_durable", program="storescp", start=lambda kept: _start_dcmtk(kept, environment))


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
    """Resident memory of a server, MB: its process and all of its children's, what they share counted once (PSS).

    Of ours these are the node, the process that forks its workers, and the workers.
    """
    found = 0
    for member in _family(pid):
        with suppress(ProcessLookupError, FileNotFoundError):  # a fork of storescp's ends with its association
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
            found += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found * 1024 / MEGABYTE


# --- measuring ------------------------------------------------------------------------------------------------


def send(study: Path) -> subprocess.Popen[bytes]:
    """Begin to send what is in a folder, in one association."""
    program = shutil.which("dcmsend") or "dcmsend"
    arguments = ["-q", "-aec", AE_TITLE, "127.0.0.1", str(PORT), "--scan-directories", str(study)]
    return subprocess.Popen([program, *arguments], env=ENVIRONMENT)  # noqa: S603 - a known command


def measure(server: Server, studies: Sequence[Path], folder: Path, *, objects: int) -> dict[str, float]:
    """Send each study in an association of its own, all at once, to a fresh server."""
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()
    size = sum(path.stat().st_size for study in studies for path in study.iterdir())
    with running(server, folder) as pid:
        before_s, began_s = cpu_s(pid), time.perf_counter()
        senders = [send(study) for study in studies]
        codes = [sender.wait() for sender in senders]
        took_s = time.perf_counter() - began_s
        measured = {"cpu_s": cpu_s(pid) - before_s, "rss_mb": resident_mb(pid)}
    if any(codes):
        raise RuntimeError(f"{server.name}: dcmsend ended with {codes}")
    if server is OURS and len(list(folder.glob("*/*.dcm"))) != objects:
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
    durable = _durable_dcmtk(folder)
    wanted = SERVERS if durable is None else (*SERVERS, durable)
    servers = [one for one in wanted if one.program is None or shutil.which(one.program, path=SYSTEM_PATH)]
    for missing in (one for one in wanted if one not in servers):
        print(json.dumps({"server": missing.name, "note": f"{missing.program} is not installed: not measured"}))
    if durable is None:
        print(json.dumps({"server": "dcmtk_durable", "note": "no C compiler is installed: not measured"}))
    print(json.dumps({"python": sys.version, "note": "a build without its compiler's profile takes longer"}))
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
        f"ratio_{name}_{associations}": round(medians[OURS.name, associations]["img_s"] / median["img_s"], 3)
        for (name, associations), median in medians.items()
        if name != OURS.name
    }
    print(json.dumps(ratios or {"note": "no peer is installed: ours alone"}))


def weigh(folder: Path, *, small: int, large_mb: int) -> None:
    """Print our resident memory after so many small objects, and the most while a large one comes in."""
    write_small(folder / "small", objects=small, rng=np.random.default_rng(1))
    write_large(folder / "large", size=large_mb * MEGABYTE)
    quarters = _split(folder / "small", into=4)
    loads = {
        f"{small} objects in 1 association": [folder / "small"],
        f"{small} objects in 4 associations": quarters,
        f"one object of {large_mb} MB": [folder / "large"],
    }
    for sent, folders in loads.items():
        # each to a fresh server
        shutil.rmtree(folder / "kept", ignore_errors=True)
        with running(OURS, folder / "kept") as pid:
            senders, most_mb = [send(one) for one in folders], 0.0
            while any(sender.poll() is None for sender in senders):
                most_mb = max(most_mb, resident_mb(pid))
                time.sleep(0.2)
            if codes := [sender.returncode for sender in senders if sender.returncode]:
                raise RuntimeError(f"dcmsend ended with {codes}")
            print(json.dumps({"sent": sent, "most_mb": round(most_mb, 1), "rss_mb": round(resident_mb(pid), 1)}))


def _split(folder: Path, *, into: int) -> list[Path]:
    """Share the files of a folder out to new ones beside it, by hard links."""
    made = []
    for number in range(into):
        part = folder.with_name(f"{folder.name}{number}")
        part.mkdir()
        for path in sorted(folder.iterdir())[number::into]:
            (part / path.name).hardlink_to(path)
        made.append(part)
    return made


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
    parser.add_argument("--memory", action="store_true", help="weigh ours instead: 10,000 objects, 1 of 2 GB")
    chosen = parser.parse_args()
    if not shutil.which("dcmsend"):
        sys.exit("dcmsend is not installed: apt install dcmtk")
    if NAMESPACE not in os.environ:
        _enter_namespace()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        if chosen.memory:
            weigh(Path(folder), small=10_000, large_mb=2_100)
        else:
            compare(Path(folder), runs=chosen.runs, slices=chosen.slices)


if __name__ == "__main__":
    main()
