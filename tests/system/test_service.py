"""The whole service on simulated devices: one run that several tests look at, and short runs."""

import json
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from pydicom import dcmread

from display.messages.feed import VERSION, Heartbeat, Hello, State
from display.messages.study import StudyEntry
from tests.system.running import (
    PATIENCE_S,
    Display,
    Service,
    device,
    finish,
    is_live,
    looking,
    peer,
    running,
    send,
    summary,
)

pytestmark = pytest.mark.timeout(300)

SIMULATED = ("--simulate", "--port", 0, "--dicom-port", 0)
UNPLUGGED_S = 5.0
RUN_S = 900.0
"""It is ended before: when it has counted enough."""
MINUTE_READINGS = 400
"""Counts of a minute after its study is read, less 5 s without the probe; a busy host reads for longer."""
NOTICED_WITHIN_S = 1.0
ENDED_WITHIN_S = 3.0
ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """A run in which the gamma probe is unplugged for a while, and a display that sees all of it."""

    service: Service
    display: Display

    def is_mapped(self) -> State:
        """Wait until the simulated patient's map is in use."""
        return self.display.until(lambda state: state.study and state.study.patient_id == "SIM-0001")


@pytest.fixture(scope="module", name="minute")
def _minute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Minute]:
    plug = f"gamma:8:{UNPLUGGED_S:g}"
    with (
        running(
            *SIMULATED, "--seconds", RUN_S, "--unplug", plug, folder=tmp_path_factory.mktemp("minute")
        ) as service,
        looking(service.display) as display,
    ):
        yield Minute(service=service, display=display)


def test_displays_see_a_live_feed(minute: Minute) -> None:
    """A display gets hello, then states whose numbers rise, and a heartbeat each second; all are simulated."""
    first = minute.display.until(is_live("camera"))
    last = minute.display.until(lambda state: state.server_monotonic_s > first.server_monotonic_s + 5.0)
    (_, hello), *more = minute.display.received(Hello)
    assert not more
    assert (hello.simulated, hello.version) == (True, VERSION)
    states = minute.display.received(State)
    seqs = [state.seq for _, state in states]
    assert seqs == sorted(set(seqs))
    assert all(state.simulated and state.session_id == hello.session_id for _, state in states)
    assert last.seq - first.seq > 25  # 20 a second, and 5 at the least on a machine that has much else to do
    ages_s = sorted(came_s - state.server_monotonic_s for came_s, state in states)
    assert ages_s[len(ages_s) // 2] < 0.1
    beats_s = [came_s for came_s, _ in minute.display.received(Heartbeat)]
    assert len(beats_s) >= 5
    gaps_s = sorted(later - earlier for earlier, later in pairwise(beats_s))
    assert gaps_s[len(gaps_s) // 2] < 1.5  # a busy host may hold up one


def make_photograph(
    folder: Path, *, study_uid: str = "", patient_id: str = "OTHER-7", patient_name: str = "Other^Person"
) -> Path:
    """Make a photograph, which is no map, with DCMTK alone: a study of its own where no UID is given."""
    bitmap, file = folder / "photograph.bmp", folder / "photograph.dcm"
    pixels = bytes((10, 200, 30)) * 64
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    bitmap.write_bytes(b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels)
    subprocess.run(  # noqa: S603 - a peer that the test names
        [peer("img2dcm"), "-i", "BMP", bitmap, file], check=True, timeout=PATIENCE_S
    )
    study = ("-m", f"StudyInstanceUID={study_uid}") if study_uid else ("-gst",)
    whose = ("-m", f"PatientID={patient_id}", "-m", f"PatientName={patient_name}")
    new_uids = ("-nb", *study, "-gse", "-gin", *whose)
    subprocess.run(  # noqa: S603 - a peer that the test names
        [peer("dcmodify"), *new_uids, file], check=True, timeout=PATIENCE_S
    )
    return file


def send_and_list(minute: Minute, *files: Path) -> list[StudyEntry]:
    """Send objects, each of a study of its own, and return what the service lists for these."""
    sent = {str(dcmread(file, stop_before_pixels=True).StudyInstanceUID) for file in files}
    before = minute.is_mapped()
    revision = minute.display.states[-1].studies_revision
    send(files, port=minute.service.node_port)
    after = minute.display.until(lambda state: state.studies_revision >= revision + len(sent))
    assert after.study == before.study
    entries = minute.service.studies()
    (hers,) = (entry for entry in entries if entry.in_use)
    assert hers.patient_id == "SIM-0001"
    listed = [entry for entry in entries if entry.study_uid in sent]
    assert len(listed) == len(sent)
    return listed


@pytest.mark.peer("dcmtk")
def test_a_foreign_study_is_listed_and_the_map_stays(minute: Minute, tmp_path: Path) -> None:
    """What a foreign program sends is listed with the reason it is no map; the patient's map stays in use."""
    (entry,) = send_and_list(minute, make_photograph(tmp_path))
    assert (entry.patient_id, entry.patient_name, entry.objects) == ("OTHER-7", "Other^Person", 1)
    assert (entry.received_from, entry.usable, entry.in_use) == ("STRANGER", False, False)
    (series,) = entry.series
    assert not series.accepted
    assert series.reason


@pytest.mark.peer("dcmtk")
def test_a_scanner_s_slices_are_listed_and_the_map_stays(minute: Minute, samples: Path) -> None:
    """Real PET slices of other patients are listed by name; a lone slice is no volume and says so."""
    entries = send_and_list(minute, *(samples / "dicom").glob("PT_TCIA*.dcm"))
    assert sorted(entry.patient_id for entry in entries) == ["ACRIN-FLT-Breast_028", "ACRIN-FLT-Breast_029"]
    for entry in entries:
        assert not entry.in_use
        (series,) = entry.series
        assert (series.modality, series.accepted, bool(series.reason)) == ("PT", False, True)


def test_an_unplugged_probe_is_seen_and_comes_back(minute: Minute) -> None:
    """No frame has it live 1 s after its last bytes; all else stays live; plugged in, it counts again."""
    display = minute.display
    live = display.until(is_live("gamma"))
    lost = display.until(lambda state: not is_live("gamma")(state), after_seq=live.seq)
    back = display.until(is_live("gamma"), after_seq=lost.seq)
    for _ in range(ATTEMPTS):  # a busy host may have stopped all of it for a moment before the cable was pulled
        if back.server_monotonic_s - lost.server_monotonic_s > UNPLUGGED_S - NOTICED_WITHIN_S:
            break
        live = back
        lost = display.until(lambda state: not is_live("gamma")(state), after_seq=live.seq)
        back = display.until(is_live("gamma"), after_seq=lost.seq)
    called_live = (device(state, "gamma") for state in display.states if live.seq <= state.seq < lost.seq)
    assert max(each.age_s or 0.0 for each in called_live) < NOTICED_WITHIN_S
    assert device(lost, "gamma").detail
    away_s = back.server_monotonic_s - lost.server_monotonic_s
    assert UNPLUGGED_S - NOTICED_WITHIN_S < away_s < UNPLUGGED_S + 10.0
    before, outage = live, [state for state in display.states if lost.seq <= state.seq < back.seq]
    for name in ("camera", "monitor", "dicom"):
        # a busy host may stop all of it for a moment, but what stopped with the probe is live in none
        assert sum(device(state, name).state == "live" for state in outage) > 0.8 * len(outage), name
    for state in outage:
        # what is still shown of its rate grows old with it
        assert state.rate is not None
        assert state.rate.age_s >= state.server_monotonic_s - lost.server_monotonic_s
        before = state
    counted = before.posterior.readings if before.posterior else 0
    display.until(lambda state: state.posterior and state.posterior.readings > counted, after_seq=back.seq)


@pytest.mark.peer("dcmtk")
def test_what_changes_no_map_lets_the_estimate_go_on(minute: Minute, tmp_path: Path) -> None:
    """A photograph that comes late to her study, and her study confirmed again, forget no count."""
    display = minute.display
    minute.is_mapped()
    before = display.until(lambda state: state.posterior and state.posterior.readings > 0)
    (hers,) = (entry for entry in minute.service.studies() if entry.in_use)
    photograph = make_photograph(
        tmp_path, study_uid=hers.study_uid, patient_id=hers.patient_id, patient_name=hers.patient_name
    )
    revision = display.states[-1].studies_revision
    send([photograph], port=minute.service.node_port)
    listed = display.until(lambda state: state.studies_revision >= revision + 2)  # read, and in use again
    (grown,) = (entry for entry in minute.service.studies() if entry.in_use)
    assert (grown.study_uid, grown.objects) == (hers.study_uid, hers.objects + 1)
    assert not grown.series[-1].accepted
    minute.service.choose(hers)
    chosen = display.until(lambda state: state.studies_revision > listed.studies_revision)
    counted = chosen.posterior.readings if chosen.posterior else 0
    display.until(
        lambda state: state.posterior and state.posterior.readings > counted, after_seq=display.states[-1].seq
    )
    since = [state for state in display.states if state.seq >= before.seq]
    assert {state.study for state in since} == {before.study}
    readings = [state.posterior.readings if state.posterior else 0 for state in since]
    assert readings == sorted(readings), "what was counted was forgotten"


def deaf_display(address: str) -> socket.socket:
    """Open the feed, and never read what it sends."""
    host, port = address.split(":")
    opened = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
    lines = (
        "GET /v1/feed HTTP/1.1",
        f"Host: {address}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: radionav.v1",
    )
    opened.sendall("\r\n".join([*lines, "", ""]).encode())
    assert opened.recv(12) == b"HTTP/1.1 101"
    return opened


def test_sigterm_ends_it_with_displays_connected(tmp_path: Path) -> None:
    """Two displays look and one is deaf: SIGTERM ends service and children within 3 s, without a complaint.

    A busy host may make one end late, but not each of a few.
    """
    took_s: list[float] = []
    while not took_s or took_s[-1] >= ENDED_WITHIN_S:
        assert len(took_s) < ATTEMPTS, f"it ended late each time: {took_s} s"
        took_s.append(seconds_to_end(tmp_path))


def seconds_to_end(folder: Path) -> float:
    """Run the service with displays, stop it by SIGTERM, and give the time until it has ended, children first."""
    with running(*SIMULATED, folder=folder) as service, ExitStack() as stack:
        address = service.display
        displays = [stack.enter_context(looking(address)) for _ in range(2)]
        stack.enter_context(deaf_display(address))
        assert service.node_port
        for display in displays:
            display.until(is_live("gamma"))
        children = [os.pidfd_open(child) for child in service.descendants()]
        for child in children:
            stack.callback(os.close, child)
        assert children  # the storage node at least
        asked_s = time.monotonic()
        service.terminate()
        assert service.ended() == 0
        took_s = time.monotonic() - asked_s
        assert "Traceback" not in service.complaints
        assert service.output == ""
        for child in children:
            ended, _, _ = select.select([child], [], [], ENDED_WITHIN_S)
            assert ended, "a child outlived the service"
        return took_s


def test_a_display_port_in_use_is_said(tmp_path: Path) -> None:
    """A port that another program has ends the start with a sentence that names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, output, complaints = finish("--simulate", "--dicom-port", 0, "--port", port, folder=tmp_path)
    assert (code, output) == (2, "")
    assert f"display: 127.0.0.1:{port} cannot be listened on" in complaints
    assert "Traceback" not in complaints


def test_a_dicom_port_in_use_is_shown_and_got_over(tmp_path: Path) -> None:
    """The scanner's input is shown lost, with the port, while all else is live; a port set free is taken."""
    with ExitStack() as stack:
        other = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = other.getsockname()[1]
        service = stack.enter_context(running("--simulate", "--port", 0, "--dicom-port", port, folder=tmp_path))
        display = stack.enter_context(looking(service.display))
        lost = display.until(lambda state: device(state, "dicom").state == "lost" and is_live("gamma")(state))
        assert str(port) in device(lost, "dicom").detail
        other.close()
        display.until(is_live("dicom"))
        assert service.node_port == port
        service.terminate()
        assert service.ended() == 0
        assert "Traceback" not in service.complaints


def test_a_simulated_morning_is_used_by_the_next_simulation(tmp_path: Path) -> None:
    """``acquire --simulate`` writes a calibration; ``radionav --simulate`` there says so and uses it."""
    code, _, complaints = finish("--simulate", folder=tmp_path, name="acquire")
    assert code == 0, complaints
    assert "gamma passed" in complaints
    written = tmp_path / "var" / "simulated-gamma.json"
    assert written.exists()
    with running(*SIMULATED, folder=tmp_path) as service, looking(service.display) as display:
        service.said(r"SIMULATED calibration: var/simulated-gamma\.json, written by acquire")
        rate = display.until(lambda state: state.rate).rate
        assert rate is not None
        assert f'"background_cps": {rate.background_cps}' in written.read_text()
        service.terminate()
        assert service.ended() == 0
    written.write_text("{}")
    code, _, complaints = finish(*SIMULATED, folder=tmp_path)
    assert code == 2
    assert "var/simulated-gamma.json: no whole calibration" in complaints


def test_a_dead_crystal_fails_the_morning(tmp_path: Path) -> None:
    """``acquire --simulate --fault dead-crystal`` exits 1 with the reason, and writes no calibration."""
    code, _, complaints = finish("--simulate", "--fault", "dead-crystal", folder=tmp_path, name="acquire")
    assert code == 1
    assert "no counts at all" in " ".join(complaints.replace("│", " ").split())
    assert not list(tmp_path.glob("var/*.json"))


def test_a_flat_battery_fails_the_morning(tmp_path: Path) -> None:
    """``acquire --simulate --yes --fault flat-battery`` exits 1 for that reason, and writes no calibration."""
    code, output, complaints = finish(
        "--simulate", "--yes", "--json", "--fault", "flat-battery", folder=tmp_path, name="acquire"
    )
    assert code == 1
    assert "bias 340 V, less than 450 V" in " ".join(complaints.replace("│", " ").split())
    failed = {step["name"]: step["reason"] for step in json.loads(output)["steps"] if not step["passed"]}
    assert set(failed) == {"battery", "response"}
    assert not list(tmp_path.glob("var/*.json"))


def test_a_minute_finds_the_node(minute: Minute) -> None:
    """The counts of a minute, less 5 s without the probe, give a target within 5 mm of the scene's truth."""
    minute.display.until(
        lambda state: state.posterior and state.posterior.readings >= MINUTE_READINGS, within_s=3 * PATIENCE_S
    )
    minute.service.terminate()
    assert minute.service.ended() == 0
    told = summary(minute.service.output)
    assert set(told) == {"readings", "poses", "tracked_counts", "frames", "studies", "targets"}
    assert told["readings"] > MINUTE_READINGS
    assert told["poses"] > 5 * told["readings"]  # 60 a second of each tool; a busy host may lose half of them
    assert MINUTE_READINGS <= told["tracked_counts"] < told["readings"]  # a monitor's are not tracked
    assert told["frames"] > told["readings"]  # 20 a second, of 11 readings
    assert told["studies"] >= 1
    (target,) = told["targets"]
    assert set(target) == {"name", "centre_mm", "region_mm", "probability", "error_mm", "in_region"}
    assert target["error_mm"] is not None, f"it is not located: {target}"
    assert target["error_mm"] <= 5.0
    assert target["in_region"] in {True, False}
    assert target["probability"] > 0.9
    assert len(target["centre_mm"]) == len(target["region_mm"]) == 3
    assert "Traceback" not in minute.service.complaints
