"""The service by its site file: ``check``, what a site file gets wrong, and the path that real devices take.

The devices are the simulated ones of ``radionav --simulate``, but in the test's own process: the service is told
where they are by a site file and by nothing else, as it is told of real ones.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import msgspec
import numpy as np
import pytest

import config
from devices.clock import monotonic
from devices.trackers.igtl import Decoder, Message
from devices.trackers.igtl_bodies import Transform
from devices.trackers.igtl_values import Sensor
from display.messages.feed import GuidanceNotice, HealthNotice, Hello, State
from simulators.ports import open_tcp_port
from simulators.scene import sentinel_node_scene
from simulators.theatre import PATIENT_TOOL, PROBE_TOOL, Theatre, open_theatre
from simulators.trackers.ndi import SimulatedNdi
from tests.devices.mosquitto_peer import Broker, free_port, started
from tests.system.running import PATIENCE_S, Display, Service, device, finish, is_live, looking, running, summary

pytestmark = [pytest.mark.timeout(180), pytest.mark.host_clock]

SHIPPED = Path(config.__file__).parent
CALIBRATION = Path("instruments") / "simulated-gamma.json"
ON_FREE_PORTS = ("--port", 0, "--dicom-port", 0)
ATTEMPTS = 3
"""A busy host may hold up the feed once, but not while the broker is away each of a few times."""


@asynccontextmanager
async def theatre(folder: Path) -> AsyncIterator[Theatre]:
    """Start the simulated devices here, in the test's own process."""
    rng = np.random.default_rng(5)
    async with open_theatre(sentinel_node_scene(), folder / "devices", rng=rng, clock=monotonic) as opened:
        yield opened


def write_site(folder: Path, devices: Theatre, *, is_calibrated: bool = True, more: str = "") -> Path:
    """Write a site file that names these devices, and a calibration as a real bench would have given it."""
    content = (SHIPPED / "simulated.toml").read_text()
    for named, true in (
        ('"/dev/serial/by-id/simulated-gamma"', f'"{devices.probe.url}"'),
        ('"/dev/serial/by-id/simulated-monitor"', f'"{devices.monitor.url}"'),
        ("port = 18944", f"port = {devices.tracker.port}"),
        ("port = 11112", f"port = {free_port()}"),
    ):
        assert named in content
        content = content.replace(named, true)
    calibration = json.loads((SHIPPED / CALIBRATION).read_text())
    calibration["provenance"]["is_simulated"] = not is_calibrated
    (folder / CALIBRATION.parent).mkdir()
    (folder / CALIBRATION).write_text(json.dumps(calibration))
    site = folder / "site.toml"
    site.write_text(f"{content}\n{more}")
    return site


async def wait(work: Callable[[], object]) -> None:
    """Wait for something in a thread, so that the devices here go on."""
    await asyncio.to_thread(work)


async def test_real_devices_take_the_same_path(tmp_path: Path) -> None:
    """By a site file alone: nothing says simulated, a console's study comes into use, the target is localised."""
    async with theatre(tmp_path) as devices:
        site = write_site(tmp_path, devices)
        with running("--config", site, *ON_FREE_PORTS, "--seconds", 150, folder=tmp_path) as service:
            address, port = await asyncio.to_thread(lambda: (service.display, service.node_port))
            with looking(address) as display:
                await devices.send_study("127.0.0.1", port, called_ae="RADIONAV")
                await wait(lambda: display.until(lambda state: state.posterior and state.targets))
                (_, hello), *_ = display.received(Hello)
                assert not hello.simulated
                assert not any(state.simulated for state in display.states)
                newest = display.states[-1]
                assert newest.study is not None
                assert newest.study.patient_id == "SIM-0001"
            service.terminate()  # before its time: it sums up all the same
            code = await asyncio.to_thread(service.ended)
            told = summary(service.output)
            complaints = service.complaints
    assert code == 0
    assert "SIMULATED" not in complaints
    assert "Traceback" not in complaints
    assert (told["studies"], len(told["targets"])) == (1, 1)
    assert set(told["targets"][0]) == {"name", "centre_mm", "region_mm", "probability"}
    assert [path.name.partition("-")[0] for path in (tmp_path / "recordings").iterdir()] == ["session"]


async def test_a_simulated_calibration_is_refused_for_a_real_probe(tmp_path: Path) -> None:
    """What a simulated bench gave never guides a surgeon: the start ends with a sentence that says so."""
    async with theatre(tmp_path) as devices:
        site = write_site(tmp_path, devices, is_calibrated=False)
        code, _, complaints = await asyncio.to_thread(
            finish, "--config", site, *ON_FREE_PORTS, "--seconds", 5, folder=tmp_path
        )
    assert code == 2
    assert "measured on a simulated bench; run acquire with the real probe" in complaints
    assert "Traceback" not in complaints


async def test_check_finds_every_device_that_is_there(tmp_path: Path) -> None:
    """Each device is ok, with what it says it is; the exit code is 0."""
    async with theatre(tmp_path) as devices:
        site = write_site(tmp_path, devices)
        code, output, _ = await asyncio.to_thread(finish, "check", "--config", site, folder=tmp_path)
    found = dict(line.split(maxsplit=1) for line in output.splitlines())
    assert set(found) == {"gamma", "monitor", "camera", "dicom", "openigtlink"}
    assert all(sentence.startswith("ok ") for sentence in found.values())
    assert "Amptek DP5, serial number 12345" in found["gamma"]
    assert code == 0


async def test_an_ndi_tracker_takes_the_place_of_the_other(tmp_path: Path) -> None:
    """By the site file alone: ``check`` names an NDI tracker, and the room navigates by its poses."""
    roms = {b"NDI\0probe": PROBE_TOOL, b"NDI\0patient": PATIENT_TOOL}
    for rom, tool in roms.items():
        (tmp_path / f"{tool}.rom").write_bytes(rom)
    async with theatre(tmp_path) as devices:
        instrument = SimulatedNdi(
            devices.grip.poses,
            rng=np.random.default_rng(6),
            powered_at_s=monotonic(),
            roms=roms,
            position_sigma_mm=0.1,
        )
        async with open_tcp_port(instrument) as port:
            site = write_site(tmp_path, devices)
            content = site.read_text()
            start, end = content.index("[trackers.camera]"), content.index("[navigation]")
            tools = "\n".join(f'{tool} = {{ rom = "{tool}.rom" }}' for tool in roms.values())
            table = f'driver = "ndi"\nport = "{port.url}"\nsilence_s = 0.8\n[trackers.camera.tools]\n{tools}\n'
            site.write_text(f"{content[:start]}[trackers.camera]\n{table}\n{content[end:]}")
            _, output, _ = await asyncio.to_thread(finish, "check", "--config", site, folder=tmp_path)
            (camera,) = [line for line in output.splitlines() if line.startswith("camera ")]
            assert "ok    delivers readings (Polaris Vega Control Firmware (SIMULATED), serial number" in camera
            with running("--config", site, *ON_FREE_PORTS, folder=tmp_path) as service:
                address = await asyncio.to_thread(lambda: service.display)
                with looking(address) as display:
                    await wait(lambda: display.until(lambda state: state.pose and is_live("camera")(state)))
                    newest = display.states[-1].pose
                    assert newest is not None
                    assert newest.tracker_error_mm == pytest.approx(0.12)
                service.terminate()
                assert await asyncio.to_thread(service.ended) == 0
                assert "Traceback" not in service.complaints


async def test_others_follow_by_openigtlink(tmp_path: Path) -> None:
    """With ``[openigtlink]`` in the site file a client gets the tip, in the patient's axes, and the rate."""
    port = free_port()
    async with theatre(tmp_path) as devices:
        site = write_site(tmp_path, devices)
        any_port = "[openigtlink]\nport = 0"
        assert any_port in site.read_text()
        site.write_text(site.read_text().replace(any_port, f'[openigtlink]\naxes = "LPS"\nport = {port}'))
        with running("--config", site, *ON_FREE_PORTS, folder=tmp_path) as service:
            await asyncio.to_thread(lambda: service.node_port)
            heard = await hear_until("127.0.0.1", port, {"TRANSFORM", "SENSOR", "POINT"})
            _, output, _ = await asyncio.to_thread(finish, "check", "--config", site, folder=tmp_path)
            service.terminate()
            assert await asyncio.to_thread(service.ended) == 0
            assert "Traceback" not in service.complaints
    assert "radionav greets with STATUS" in output
    assert heard["TRANSFORM"].device_name == "TipToPatient"
    (rate_cps,) = Sensor.from_bytes(heard["SENSOR"].content).values
    assert rate_cps > 0
    tip_mm = np.array(Transform.from_bytes(heard["TRANSFORM"].content).elements[9:])
    assert np.linalg.norm(tip_mm) < 400, "near the patient, not near the camera"


async def hear_until(host: str, port: int, kinds: set[str]) -> dict[str, Message]:
    """Connect, and give the newest message of each type once these have come."""
    reader, writer = await asyncio.open_connection(host, port)
    decoder, heard = Decoder(), dict[str, Message]()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not heard.keys() >= kinds:
                received = await reader.read(65536)
                assert received, "the server hung up"
                decoder.feed(received, 0.0)
                heard |= {arrival.message.kind: arrival.message for arrival in decoder}
    except TimeoutError:
        pytest.fail(f"of {kinds} only {set(heard)} came")
    finally:
        writer.close()
        await writer.wait_closed()
    return heard


def test_check_says_for_each_missing_device_what_to_do(tmp_path: Path) -> None:
    """With nothing connected every device has its line: FAIL, what is wrong and what to do; the exit code is 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        content = (SHIPPED / "site.toml").read_text().replace("18944", str(port)).replace("11112", str(port))
        site = tmp_path / "site.toml"
        site.write_text(f'{content}\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\nsite = "general"\nroom = "or3"\n')
        code, output, complaints = finish("check", "--config", site, folder=tmp_path)
    failed = {line.split()[0]: line for line in output.splitlines()}
    assert set(failed) == {"gamma", "monitor", "camera", "dicom", "mqtt"}
    assert all(line.split()[1] == "FAIL" for line in failed.values())
    assert "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1234567-if00-port0" in failed["gamma"]
    for name in ("camera", "dicom", "mqtt"):
        assert f"127.0.0.1:{port}" in failed[name]
    assert len(output.splitlines()) == 5
    assert "Traceback" not in complaints
    assert code == 1


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("window_kev =", "window_keV =", "unknown key 'probes.gamma.window_keV': did you mean 'window_kev'?"),
        ("# response =", "response =", "gamma-tc99m.json: no calibration: No such file or directory; run acquire"),
    ],
    ids=["typo", "missing calibration"],
)
def test_a_wrong_site_file_is_said(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    """A mistyped key and a calibration that is not there end the start with a sentence each."""
    site = tmp_path / "site.toml"
    content = (SHIPPED / "site.toml").read_text()
    assert right in content
    site.write_text(content.replace(right, wrong, 1))
    code, output, complaints = finish("--config", site, *ON_FREE_PORTS, folder=tmp_path)
    assert (code, output) == (2, "")
    assert sentence in complaints
    assert "Traceback" not in complaints


class Newsroom:
    """What the room's topics said to a subscriber of its own."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def hear(self, *leaves: str) -> dict[str, bytes]:
        """Wait until each of these topics has come; returns the newest of each."""
        heard: dict[str, bytes] = {}
        async with asyncio.timeout(PATIENCE_S):
            async for message in self._client.messages:
                assert isinstance(message.payload, bytes)
                heard[message.topic.value.removeprefix("radionav/v2/general/or3/")] = message.payload
                if set(leaves) <= set(heard):
                    break
        return heard


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[Newsroom]:
    """Subscribe to the room."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe("radionav/v2/general/or3/#", qos=1)
        yield Newsroom(client)


async def run_through(broker: Broker, service: Service, display: Display) -> None:
    """Hear the room, stop the broker, start it, hear the room again; meanwhile the feed goes on."""
    topics = ("state", "guidance", "status", "health/gamma", "health/camera", "health/monitor")
    async with listening(broker) as newsroom:
        heard = await newsroom.hear(*topics)
    first = msgspec.json.decode(heard["state"], type=State)
    assert not first.simulated
    guidance = msgspec.json.decode(heard["guidance"], type=GuidanceNotice)
    health = msgspec.json.decode(heard["health/gamma"], type=HealthNotice)
    assert guidance.guidance.sentence
    assert health.device.name == "gamma"
    assert not guidance.simulated
    assert not health.simulated
    assert heard["status"] == b"online"
    longest_s = list[float]()
    for _ in range(ATTEMPTS):
        before = display.states[-1].seq
        await broker.stop()
        lost = await asyncio.to_thread(display.until, lambda state: not is_live("mqtt")(state), after_seq=before)
        assert str(broker.port) in device(lost, "mqtt").detail
        await broker.start()
        async with listening(broker) as newsroom:
            heard = await newsroom.hear(*topics)
        back = await asyncio.to_thread(display.until, is_live("mqtt"), after_seq=lost.seq)
        assert msgspec.json.decode(heard["state"], type=State).seq > lost.seq
        made_s = [state.server_monotonic_s for state in display.states if before <= state.seq <= back.seq]
        longest_s.append(max(np.diff(made_s)))
        if longest_s[-1] < 1.0:
            return
    pytest.fail(f"between two states of the feed were {longest_s} s")


@pytest.mark.peer("mosquitto")
async def test_the_room_is_published_again_after_the_broker_was_away(tmp_path: Path) -> None:
    """State, guidance, health and status reach a subscriber before and after; the feed goes on all the while."""
    async with theatre(tmp_path) as devices, started(Broker(tmp_path), for_at_most_s=150.0) as broker:
        told = f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\nsite = "general"\nroom = "or3"\n'
        site = write_site(tmp_path, devices, more=told)
        with running("--config", site, *ON_FREE_PORTS, folder=tmp_path) as service:
            address = await asyncio.to_thread(lambda: service.display)
            with looking(address) as display:
                await wait(lambda: display.until(is_live("mqtt")))
                await run_through(broker, service, display)
            service.terminate()
            assert await asyncio.to_thread(service.ended) == 0
            assert "Traceback" not in service.complaints
