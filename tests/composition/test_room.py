"""A room whose devices are not there yet, and whose files are damaged: it starts, and says so."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.estimate.localising import Localisation
from acquisition.tracking.registration_file import add_registration
from composition.room import Room
from composition.running import announce, run_room
from config.settings import Site
from devices.clock import monotonic
from devices.readings import PoseReading
from devices.trackers.igtl_bodies import Transform
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from tests.acquisition.estimate.test_localising import premises
from tests.acquisition.image.test_imaging import believed
from tests.acquisition.received import received, study, study_map
from tests.acquisition.resection.test_resection import RESPONSE
from tests.acquisition.tracking.test_joining import NOW, registration
from tests.devices.test_igtl_server import following
from tests.navigation.resection.test_excision import removed


def site(folder: Path) -> Site:
    """Describe a room with a probe and a tracker that nobody plugged in."""
    return Site.model_validate(
        {
            "site": {"name": "Hospital", "room": "1"},
            "openigtlink": {"port": 0},
            "display": {"port": 0},
            "procedure": {"database": folder / "procedures.sqlite"},
            "recordings": folder / "recordings",
            "probes": {
                "gamma": {
                    "driver": "amptek",
                    "port": str(folder / "unplugged"),
                    "window_kev": [126, 154],
                    "energy_kev_per_channel": 1.0,
                    "tool": "Probe",
                }
            },
            "trackers": {
                "camera": {"driver": "openigtlink", "host": "127.0.0.1", "port": 9, "tools": ["Probe", "Patient"]}
            },
            "navigation": {
                "probe": "gamma",
                "tracker": "camera",
                "reference_tool": "Patient",
                "registration": {"file": folder / "registration.json"},
            },
        }
    )


async def test_a_file_of_registrations_that_is_no_text_is_doubted_and_the_room_starts(tmp_path: Path) -> None:
    """As of any other damage: counts, maps and the rest go on, and the page says to register again."""
    (tmp_path / "registration.json").write_bytes(b"\xff\xfe{}")
    stop, doubts = asyncio.Event(), list[str]()

    async def on_ready(room: Room, _: str) -> None:
        assert room.intake.synchroniser is not None
        while not (doubt := room.intake.synchroniser.chain.registration_doubt):  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.01)
        doubts.append(doubt)
        stop.set()

    async with asyncio.timeout(60):
        await run_room(
            site(tmp_path), is_simulated=False, stop=stop, rng=np.random.default_rng(1), on_ready=on_ready
        )
    assert "no whole registrations" in doubts[0]


async def test_a_room_without_a_storage_node_says_where_it_is_followed_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for a node that the site file does not name before the engineer is told the port."""
    stop, said = asyncio.Event(), list[str]()

    async def on_ready(room: Room, address: str) -> None:
        announcing = asyncio.create_task(announce(room, address))
        await asyncio.sleep(0)
        said.append(capsys.readouterr().err)
        announcing.cancel()
        assert room.followed_by is not None
        said.append(f"OpenIGTLink is served at 127.0.0.1:{room.followed_by.port}\n")
        stop.set()

    async with asyncio.timeout(60):
        await run_room(
            site(tmp_path), is_simulated=False, stop=stop, rng=np.random.default_rng(1), on_ready=on_ready
        )
    assert said[1] in said[0]


async def test_a_patient_who_is_registered_anew_has_no_bed_counted_on_and_the_estimate_begins_anew(
    tmp_path: Path,
) -> None:
    """What was counted lies elsewhere now; and by how much it does is asked of the registration in use."""
    path, stop, found = tmp_path / "registration.json", asyncio.Event(), list[str | None]()
    add_registration(path, registration(x_mm=0.0))

    async def on_ready(room: Room, _: str) -> None:
        assert room._joining is not None
        await room._joining.look()
        await room._map_in_use.use(ArchivedStudy(received=received(), map=study_map(study())))
        room._resection._response = RESPONSE
        belief = Localisation(posterior=believed(removed()), counted_until_s=0.0, update_ms=1.0)
        room._localiser.begin(premises())
        room._localiser.newest = belief
        assert await room._resection.remove("node") is None
        assert room._resection.count_bed(1) is None
        room._localiser.newest = belief
        add_registration(path, registration(at=NOW + timedelta(minutes=1), x_mm=15.0))
        await room._joining.look()
        assert room._resection.counting is None
        assert room._localiser.newest is None
        found.append(room._resection.count_bed(1))
        stop.set()

    async with asyncio.timeout(60):
        await run_room(
            site(tmp_path), is_simulated=False, stop=stop, rng=np.random.default_rng(1), on_ready=on_ready
        )
    assert "15 mm elsewhere" in str(found)


async def test_who_follows_is_sent_no_pose_that_is_doubted(tmp_path: Path) -> None:
    """Beside a pose of OpenIGTLink stands no word of doubt; the next one that is not doubted comes."""

    def seen(tool: str, x_mm: float, at_s: float) -> PoseReading:
        there = RigidTransform(
            to=Frame.TRACKER, from_=Frame.TOOL, rotation=np.eye(3), translation_mm=np.array([x_mm, 0.0, 0.0])
        )
        return PoseReading(device="camera", tool=tool, taken_at_s=at_s, tracker_from_tool=there)

    stop, heard_mm = asyncio.Event(), list[float]()

    async def on_ready(room: Room, _: str) -> None:
        assert room.followed_by is not None
        assert room.intake.synchroniser is not None
        room.intake.synchroniser.chain = replace(
            room.intake.synchroniser.chain,
            patient_from_reference=RigidTransform.identity(Frame.PATIENT, Frame.REFERENCE),
            doubt_at=lambda tip: "far from the landmarks" if tip.translation_mm[0] > 50.0 else "",
        )
        async with following(room.followed_by) as peer:
            for x_mm in (10.0, 90.0, 20.0):
                at_s = monotonic()
                for tool, place_mm in (("Patient", 0.0), ("Probe", x_mm)):
                    room.intake.pose(seen(tool, place_mm, at_s))
            while len(heard_mm) < 2:
                message = await peer.hear("TRANSFORM", "TipToPatient")
                heard_mm.append(-Transform.from_bytes(message.content).elements[9])
        stop.set()

    async with asyncio.timeout(60):
        await run_room(
            site(tmp_path), is_simulated=False, stop=stop, rng=np.random.default_rng(1), on_ready=on_ready
        )
    assert heard_mm == [10.0, 20.0]
