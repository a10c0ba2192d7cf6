"""The NDI driver against our simulated tracker, and NDI's own library against the same one."""

import asyncio
import json
import math
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from acquisition.recording import record
from acquisition.timeline import PoseTimeline
from devices.clock import monotonic
from devices.errors import DeviceFault, DeviceTimeout, DeviceUnavailable
from devices.reaching import reach
from devices.readings import DeviceHealth, LinkState, PoseReading, PoseStatus
from devices.supervision import Supervisor
from devices.trackers.ndi import NdiTracker, Settings
from devices.trackers.ndi_protocol import text_answer
from devices.trackers.ndi_words import TOOL_STATES, tool_words
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.ports import PtyPort, TcpPort, open_pty_port, open_tcp_port
from simulators.trackers.ndi import SimulatedNdi

PEER = Path(__file__).with_name("ndicapi_peer.py")
PROBE_ROM = b"NDI\0" + bytes(range(1, 250)) * 3
PATIENT_ROM = b"NDI\0" + bytes(range(250, 1, -1)) * 2
POSE = RigidTransform.from_quaternion(
    (0.5, -0.5, 0.5, 0.5), (12.5, -20.25, -1400.75), to=Frame.TRACKER, from_=Frame.TOOL
)
SECONDS = 60


def poses(_: float) -> Mapping[str, RigidTransform | None]:
    """Three tools that stand still."""
    return {"Probe": POSE, "Patient": POSE, "Stylus": POSE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The instrument, the port it hangs on, and what a site file would say."""

    instrument: SimulatedNdi
    port: TcpPort | PtyPort
    keys: Mapping[str, Any]

    def settings(self, **keys: Any) -> Settings:
        """A tracker's entry; with patience, for tests run beside others."""
        patient = {"driver": "ndi", "silence_s": 0.9, "answer_s": 0.5}
        return Settings.model_validate(patient | dict(self.keys) | keys)


@asynccontextmanager
async def room(
    folder: Path, *, is_serial: bool = False, wired: Mapping[str, str] | None = None
) -> AsyncIterator[Room]:
    """A tracker that knows two definition files."""
    (folder / "probe.rom").write_bytes(PROBE_ROM)
    (folder / "patient.rom").write_bytes(PATIENT_ROM)
    instrument = SimulatedNdi(
        poses,
        rng=np.random.default_rng(1),
        powered_at_s=monotonic(),
        roms={PROBE_ROM: "Probe", PATIENT_ROM: "Patient"},
        wired=wired,
    )
    opened = open_pty_port(instrument, folder / "tracker") if is_serial else open_tcp_port(instrument)
    async with asyncio.timeout(SECONDS), opened as port:
        tools = {"Probe": {"rom": folder / "probe.rom"}, "Patient": {"rom": folder / "patient.rom"}}
        yield Room(instrument=instrument, port=port, keys={"port": port.url, "tools": tools})


async def take(tracker: NdiTracker, tool: str, status: PoseStatus = PoseStatus.OK) -> PoseReading:
    """The next reading of a tool that has this status."""
    async for reading in tracker:
        if (reading.tool, reading.status) == (tool, status):
            return reading
    raise AssertionError("the stream ended")


async def drain(tracker: NdiTracker) -> None:
    """Read until it fails."""
    async for _ in tracker:
        pass


@pytest.mark.parametrize("is_serial", [True, False])
@pytest.mark.parametrize("reply", ["TX", "BX", "BX2"])
async def test_tools_are_loaded_and_tracked(tmp_path: Path, reply: str, is_serial: bool) -> None:  # noqa: FBT001
    """Over serial and TCP, by each kind of answer, both tools come with their poses, and the tracker beeps."""
    async with (
        room(tmp_path, is_serial=is_serial) as there,
        there.settings(reply=reply).connect("camera", clock=monotonic) as tracker,
    ):
        for tool in ("Probe", "Patient"):
            reading = await take(tracker, tool)
            assert reading.tracker_from_tool is not None
            assert np.abs(reading.tracker_from_tool.matrix - POSE.matrix).max() < 0.006
            assert reading.error_mm == pytest.approx(0.12)
            assert reading.device == "camera"
        assert tracker.identity == "Polaris Vega Control Firmware (SIMULATED), serial number SIM-00217"
        assert tracker.rejected == 0
        assert there.instrument.beeps == 1
        assert there.instrument.baud_code == ("5" if is_serial else "0")
    names = [command.name for command in there.instrument.asked]
    order = [name for index, name in enumerate(names) if names.index(name) == index and name != "COMM"]
    started = ["INIT", "VER", "PHSR", "PHRQ", "PVWR", "PINIT", "PENA", "TSTART", "BEEP"]
    assert order == [*started, *(["TX"] if reply == "BX2" else []), reply, "TSTOP"]
    assert there.instrument.baud_code == "0", "the next host finds it at 9600"


@pytest.mark.parametrize("residual_mm", [math.nan, math.inf, -1.0])
async def test_a_residual_that_is_no_number_is_not_known(tmp_path: Path, residual_mm: float) -> None:
    """Four bytes of BX may be anything: the pose stands, and can be recorded, which refuses what is no number."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as tracker:
        there.instrument.residual_mm = residual_mm
        with record(tmp_path / "recordings", simulated=True) as recorder:
            while (reading := await take(tracker, "Probe")).error_mm is not None:
                recorder.pose(reading)
            recorder.pose(reading)
    assert reading.tracker_from_tool is not None


async def test_definition_files_arrive_whole(tmp_path: Path) -> None:
    """A file is written in chunks of 64 bytes, filled up with zeros, at the addresses they belong to."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic):
        chunks = [command.arguments for command in there.instrument.asked if command.name == "PVWR"]
        of_probe = [chunk for chunk in chunks if chunk.startswith("01")]
        assert [int(chunk[2:6], 16) for chunk in of_probe] == list(range(0, len(PROBE_ROM), 64))
        written = b"".join(bytes.fromhex(chunk[6:]) for chunk in of_probe)
        assert written == PROBE_ROM + bytes(len(written) - len(PROBE_ROM))


@pytest.mark.parametrize("reply", ["TX", "BX", "BX2"])
async def test_a_tool_out_of_sight_is_missing_at_once(tmp_path: Path, reply: str) -> None:
    """A tool out of sight has no pose from the next frame on, and one again when it is back."""
    async with (
        room(tmp_path) as there,
        there.settings(reply=reply).connect("camera", clock=monotonic) as tracker,
    ):
        await take(tracker, "Probe")
        there.instrument.drop("Probe")
        lost = await take(tracker, "Probe", PoseStatus.MISSING)
        assert lost.tracker_from_tool is None
        await take(tracker, "Patient")
        there.instrument.restore("Probe")
        await take(tracker, "Probe")


async def test_a_tool_outside_the_volume_is_not_believed(tmp_path: Path) -> None:
    """A pose with the bit for out of volume is no pose."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.port_bits["Probe"] = 0x40
        assert (await take(tracker, "Probe", PoseStatus.MISSING)).said == tool_words(9)


@pytest.mark.parametrize("reply", ["TX", "BX", "BX2"])
async def test_a_tool_that_is_not_seen_says_so(tmp_path: Path, reply: str) -> None:
    """The reading itself says why there is no pose, as well as the answer tells; one that is seen says nothing."""
    async with (
        room(tmp_path) as there,
        there.settings(reply=reply).connect("camera", clock=monotonic) as tracker,
    ):
        assert not (await take(tracker, "Probe")).said
        there.instrument.drop("Probe")
        lost = await take(tracker, "Probe", PoseStatus.MISSING)
        assert lost.said == tool_words(13 if reply == "BX2" else 31)
        there.instrument.restore("Probe")
        assert not (await take(tracker, "Probe")).said


@pytest.mark.parametrize("state", [3, 9, 13, 14, 17, 33])
async def test_why_a_tool_is_lost_is_told_with_its_reading(tmp_path: Path, state: int) -> None:
    """BX2 numbers the reasons: volume, markers, infrared, a wrong definition, a plug; each has its own words."""
    async with room(tmp_path) as there, there.settings(reply="BX2").connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.states["Probe"] = state
        lost = await take(tracker, "Probe", PoseStatus.MISSING)
        assert lost.said == ": ".join(TOOL_STATES[state])
        assert not (await take(tracker, "Patient")).said


async def test_a_tool_half_outside_the_volume_is_believed_and_says_so(tmp_path: Path) -> None:
    """Its pose was measured; that it will soon be gone is told before it is."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.port_bits["Probe"] = 0x80
        async for reading in tracker:
            if reading.tool == "Probe" and reading.said:
                assert (reading.status, reading.said) == (PoseStatus.OK, tool_words(3))
                break


@pytest.mark.parametrize("reply", ["TX", "BX", "BX2"])
async def test_a_frame_asked_for_twice_gives_one_reading(tmp_path: Path, reply: str) -> None:
    """However often it is asked, each camera frame gives each tool one reading."""
    async with (
        room(tmp_path) as there,
        there.settings(reply=reply, interval_s=0.001).connect("camera", clock=monotonic) as tracker,
    ):
        started_s = monotonic()
        of_probe = [await take(tracker, "Probe") for _ in range(20)]
        frames = (monotonic() - started_s) * 60 + 2
        assert len(of_probe) <= frames
        assert len({reading.taken_at_s for reading in of_probe}) == 20


async def test_of_several_frames_in_one_answer_the_newest_is_the_newest(tmp_path: Path) -> None:
    """A host that was late gets all frames at once: whatever they are worth, the last is what holds after them."""
    async with room(tmp_path) as there:
        tools = {"Probe": there.keys["tools"]["Probe"]}
        settings = there.settings(reply="BX2", tools=tools, interval_s=0.08)
        async with settings.connect("camera", clock=monotonic) as tracker:
            there.instrument.damages = 1  # so that the first answer it understands holds the frames of 0.08 s
            timeline, answers, readings = PoseTimeline(), 0, 0
            while answers < 8:
                reading = await anext(tracker)
                readings += 1
                timeline.add(reading)
                if not tracker._pending:
                    answers += 1
                    assert timeline.newest is reading, f"of answer {answers} an older frame is believed"
            assert readings > answers, "all of them, once their times are known"


async def test_how_well_frames_are_timed_is_told_each_second(tmp_path: Path) -> None:
    """Health carries jitter, uncertainty, interval and what was asked for twice, while the tracker is live."""
    told: asyncio.Queue[DeviceHealth] = asyncio.Queue()
    async with room(tmp_path) as there:
        supervisor = Supervisor(
            "camera",
            there.settings(interval_s=0.004),
            on_reading=lambda _: None,
            on_health=told.put_nowait,
            clock=monotonic,
            jitter=lambda: 0.0,
        )
        running = asyncio.create_task(supervisor.run(), name="camera")
        try:
            while (health := await told.get()).timing is None or health.timing.uncertainty_s is None:
                pass
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert health.state is LinkState.LIVE
    timing = health.timing
    assert timing.duplicates > 0
    assert timing.jitter_s is not None
    assert timing.interval_s is not None
    assert timing.uncertainty_s is not None
    assert timing.uncertainty_s < timing.jitter_s
    assert timing.interval_s > 0


async def test_a_frame_number_that_goes_back_begins_anew(tmp_path: Path) -> None:
    """A counter that starts again is a new line, and is named; poses go on."""
    async with room(tmp_path) as there:
        there.instrument.first_frame = 2**31
        async with there.settings().connect("camera", clock=monotonic) as tracker:
            await take(tracker, "Probe")
            there.instrument.first_frame = 2**32  # which wraps to 0
            while "went back by" not in tracker.timing.reason:
                await take(tracker, "Probe")
            await take(tracker, "Probe")


async def test_a_camera_that_stops_measuring_is_named(tmp_path: Path) -> None:
    """Answers that always tell the same frame are no readings, and the sentence says what has stopped."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.is_frozen = True
        with pytest.raises(DeviceTimeout, match="no new camera frame since number"):
            await drain(tracker)


async def test_a_damaged_answer_is_counted_and_asked_for_again(tmp_path: Path) -> None:
    """A turned bit costs one answer; the stream goes on."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.damages = 3
        while tracker.rejected < 3:
            await anext(tracker)
        await take(tracker, "Probe")
        assert tracker.rejected == 3


async def test_hardware_failure_ends_it_in_words(tmp_path: Path) -> None:
    """System status 0x0010 is a fault with words, whatever poses come with it."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.system_status = 0x0010
        with pytest.raises(DeviceFault, match="hardware has failed: call NDI's service"):
            await drain(tracker)


async def test_a_fault_told_by_bx2_ends_it_in_words_and_an_alert_does_not(tmp_path: Path) -> None:
    """A system fault is a hardware failure by another name; an alert or an event is logged, and poses go on."""
    async with room(tmp_path) as there, there.settings(reply="BX2").connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.alerts = [(2, 2), (4, 6)]
        while there.instrument.alerts:
            await anext(tracker)
        await take(tracker, "Probe")
        there.instrument.alerts = [(4, 1), (1, 6)]
        with pytest.raises(DeviceFault, match=r"has failed \(fault 6\): do not navigate with it") as failed:
            await drain(tracker)
        assert failed.value.code == 6


async def test_a_fault_that_bx2_told_once_keeps_the_link_from_opening_anew(tmp_path: Path) -> None:
    """Its answers tell a fault one time: whoever opens the link after that is not given poses all the same."""
    async with room(tmp_path) as there:
        there.instrument.system_status = 0x0010
        there.instrument.alerts = []
        with pytest.raises(DeviceFault, match="hardware has failed: call NDI's service"):
            async with there.settings(reply="BX2").connect("camera", clock=monotonic):
                pytest.fail("it was opened")
        there.instrument.system_status = 0
        async with there.settings(reply="BX2").connect("camera", clock=monotonic) as tracker:
            await take(tracker, "Probe")


async def test_a_tracker_that_was_switched_off_and_on_is_named(tmp_path: Path) -> None:
    """It has forgotten everything: its error is put into words, and opening it again sets it up anew."""
    async with room(tmp_path) as there:
        async with there.settings().connect("camera", clock=monotonic) as tracker:
            await take(tracker, "Probe")
            there.instrument.restart()
            with pytest.raises((DeviceUnavailable, DeviceFault), match=r"started anew|not initialised"):
                await drain(tracker)
        async with there.settings().connect("camera", clock=monotonic) as tracker:
            await take(tracker, "Probe")


async def test_an_error_at_the_start_names_the_tool_and_the_remedy(tmp_path: Path) -> None:
    """ERROR13 to PINIT, which hosts know as the number 19, is said in words about the tool."""
    async with room(tmp_path) as there:
        there.instrument.refuse("PINIT", 0x13)
        with pytest.raises(DeviceFault, match=r"tool Probe: .*cannot initialise the tool.*\.rom file.*ERROR13"):
            async with there.settings().connect("camera", clock=monotonic):
                pass


async def test_files_that_are_no_definition_are_refused(tmp_path: Path) -> None:
    """A missing file, another file, and a definition that the tracker does not know are named with the tool."""
    (tmp_path / "other.rom").write_bytes(b"PK\x03\x04 a zip")
    (tmp_path / "strange.rom").write_bytes(b"NDI\0 of another maker")
    expected = {"none.rom": "cannot be read", "other.rom": "no tool definition", "strange.rom": "ERROR40"}
    async with room(tmp_path) as there:
        for name, words in expected.items():
            settings = there.settings(tools={"Probe": {"rom": tmp_path / name}})
            with pytest.raises((DeviceFault, DeviceUnavailable), match=f"tool Probe: .*{words}"):
                async with settings.connect("camera", clock=monotonic):
                    pass


async def test_wired_tools_are_found_by_their_serial_number(tmp_path: Path) -> None:
    """A tool with a plug is known by its serial number; one that is not plugged in is named, and what is."""
    async with room(tmp_path, wired={"3A00B123": "Stylus", "3A00B124": "Patient"}) as there:
        tools = {"Pointer": {"serial_number": "3A00B123", "mobility": "static"}, **there.keys["tools"]}
        async with there.settings(tools=tools).connect("camera", clock=monotonic) as tracker:
            for tool in ("Pointer", "Probe"):
                await take(tracker, tool)
        enabled = [command.arguments for command in there.instrument.asked if command.name == "PENA"]
        assert sorted(enabled) == ["01S", "03D", "04D"]
        tools = {"Pointer": {"serial_number": "3A00B999"}}
        with pytest.raises(
            DeviceUnavailable, match=r"3A00B999\) is not plugged in; plugged in: 3A00B123, 3A00B124"
        ):
            async with there.settings(tools=tools).connect("camera", clock=monotonic):
                pass


async def test_an_unplugged_tool_is_missing_and_the_others_go_on(tmp_path: Path) -> None:
    """A handle that is gone from the answers is a tool that is missing."""
    async with room(tmp_path) as there, there.settings().connect("camera", clock=monotonic) as tracker:
        await take(tracker, "Probe")
        there.instrument.unplug("Probe")
        await take(tracker, "Probe", PoseStatus.MISSING)
        await take(tracker, "Patient")


async def test_handles_that_a_former_host_left_are_freed(tmp_path: Path) -> None:
    """A host that ended without a word leaves its tools tracked: they are freed, and ours get their handles."""
    async with room(tmp_path) as there:
        for _ in range(2):
            async with there.settings().connect("camera", clock=monotonic) as tracker:
                await take(tracker, "Probe")
        enabled = [command.arguments for command in there.instrument.asked if command.name == "PENA"]
        assert enabled == ["01D", "02D", "01D", "02D"]


async def test_a_tracker_left_at_another_speed_is_woken_by_a_break(tmp_path: Path) -> None:
    """It does not understand INIT at 9600, so the line is broken: it says RESET, and is set up from there."""
    async with room(tmp_path, is_serial=True) as there:
        there.instrument.is_deaf = True
        # a pty carries no break: what it does to the tracker is done by hand once the host has had no answer
        asyncio.get_running_loop().call_later(2.0, there.instrument.restart)
        async with there.settings().connect("camera", clock=monotonic) as tracker:
            await take(tracker, "Probe")


async def test_what_answers_otherwise_is_no_ndi_tracker(tmp_path: Path) -> None:
    """A service that speaks another language is named as such."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n")
        await writer.drain()
        await reader.read(100)
        writer.close()

    async with room(tmp_path) as there, await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = there.settings(port=f"socket://127.0.0.1:{port}")
        with pytest.raises(DeviceUnavailable, match=r"is no NDI tracker.*Check port and baud_rate"):
            async with settings.connect("camera", clock=monotonic):
                pass


@asynccontextmanager
async def tracker_that_says(said: bytes, folder: Path) -> AsyncIterator[Settings]:
    """A tracker that answers whatever it is asked by the same words; gives what a site file would say of it."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            writer.write(text_answer(said))
        writer.close()

    async with room(folder) as there, await asyncio.start_server(say, "127.0.0.1", 0) as server:
        yield there.settings(port=f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}")


@pytest.mark.parametrize("said", [b"ERROR", b"ERRORZZ", b"ERROR-1"])
async def test_an_error_without_a_number_is_an_error(tmp_path: Path, said: bytes) -> None:
    """A tracker whose error has none that can be read is refused in words, like any other."""
    async with tracker_that_says(said, tmp_path) as settings:
        with pytest.raises(DeviceFault, match="to INIT the tracker says that it has an error that we do not know"):
            async with settings.connect("camera", clock=monotonic):
                pass


async def test_a_tracker_that_starts_anew_while_it_is_asked_is_named(tmp_path: Path) -> None:
    """RESET is no answer to anything: it has lost what it was told."""
    async with tracker_that_says(b"RESET", tmp_path) as settings:
        with pytest.raises(DeviceUnavailable, match="the tracker has started anew: check its power"):
            async with settings.connect("camera", clock=monotonic):
                pass


async def test_a_warning_is_logged_with_what_it_was_said_to(tmp_path: Path) -> None:
    """It is no refusal: what was asked is done, and the next thing is asked."""
    async with tracker_that_says(b"WARNING01", tmp_path) as settings:
        with capture_logs() as logs, pytest.raises(DeviceUnavailable, match="PHSR was answered by"):
            async with settings.connect("camera", clock=monotonic):
                pass
    warnings = [(line["command"], line["warning"]) for line in logs if line["event"] == "tracker_warns"]
    assert warnings[0] == ("INIT", "WARNING01")


async def test_it_can_be_reached_for_check(tmp_path: Path) -> None:
    """``radionav check`` names model and serial number, or what is wrong."""
    async with room(tmp_path) as there:
        found = await reach("camera", there.settings(), clock=monotonic)
        assert found.is_reached
        assert "serial number SIM-00217" in found.sentence
        there.instrument.refuse("TSTART", 0x12)
        found = await reach("camera", there.settings(), clock=monotonic)
        assert not found.is_reached
        assert "cannot start tracking" in found.sentence


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"port": "COM3"}, "is no port"),
        ({"baud_rate": 1200}, "baud_rate"),
        ({"tools": {}}, "at least 1 item"),
        ({"tools": {"Probe": {}}}, "either rom .* or serial_number"),
        ({"tools": {"Probe": {"rom": "a.rom", "serial_number": "3A00B123"}}}, "either rom .* or serial_number"),
        ({"tools": {"Probe": {"serial_number": "12"}}}, "serial_number"),
        ({"tools": {"A": {"rom": "a.rom"}, "B": {"rom": "a.rom"}}}, "one would be taken for the other"),
        ({"answer_s": 0.6, "silence_s": 0.5}, "must be below silence_s"),
        ({"silence_s": 0.95}, "less than or equal to 0.9"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, Any], words: str) -> None:
    """Each with what to write instead."""
    whole = {"driver": "ndi", "port": "/dev/ttyUSB0", "tools": {"Probe": {"rom": "probe.rom"}}}
    assert Settings.model_validate(whole).tools["Probe"].mobility == "dynamic"
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(whole | keys)


@pytest.mark.parametrize("is_serial", [True, False])
async def test_ndis_own_library_takes_the_simulated_tracker_for_one(
    tmp_path: Path,
    is_serial: bool,  # noqa: FBT001
) -> None:
    """``ndicapi`` loads a tool, tracks it by TX and BX, checks every CRC, and reads what the simulator meant."""
    async with room(tmp_path, is_serial=is_serial) as there:
        port = there.port.url if is_serial else there.port.url.removeprefix("socket://")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PEER),
            port,
            str(tmp_path / "probe.rom"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, errors.decode()
    found = json.loads(out)
    assert found["init"] == "OKAY"
    assert found["version"].startswith("Polaris Vega Control Firmware (SIMULATED)\n")
    assert found["handle"] == 1
    assert found["new handles"] == [1]
    assert found["error while tracking"].startswith("POLARIS 0x0c")
    expected = [*POSE.quaternion_wxyz, *POSE.translation_mm, 0.12]
    for kind in ("tx", "bx"):
        assert found[kind]["transform"] == pytest.approx(expected, abs=1e-4), kind
        assert found[kind]["port status"] == 0x31
        assert found[kind]["system status"] == 0
        assert found[kind]["frame"] > 0
    assert found["bx"]["frame"] >= found["tx"]["frame"]
    assert found["bx2 error"] == 0
