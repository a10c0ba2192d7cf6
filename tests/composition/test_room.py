"""A room whose devices are not there yet, and whose files are damaged: it starts, and says so."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from composition.room import Room
from composition.running import announce, run_room
from config.settings import Site


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
