"""The index follows the files, whatever happens to it, to the node and to the files."""

import asyncio
import json
import os
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from devices.dicom.client import StorageNode, run_node
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.tables import series, studies
from devices.dicom.storage.part10 import FileMeta
from devices.readings import DeviceHealth, LinkState
from tests.devices.dicom.index.cluster import Cluster
from tests.devices.dicom.index.rows import rows, until


def checksum(path: Path) -> str:
    """What the seal of a file says."""
    seal = FileMeta.read(path)[0].seal
    assert seal is not None
    return f"{seal.checksum:016x}"


async def store(node: StorageNode, console: Any, *things: Any, calling_ae: str = "CAMERA") -> list[int]:
    """Send objects on one association, and give the answers."""
    async with console(node.port) as raw:
        assert await raw.associate(calling_ae) == 2
        answers = [await raw.store(one) for one in things]
        await raw.release()
    return answers


async def told(node: StorageNode, words: str) -> DeviceHealth:
    """Wait until the node's health says so; with no words, until it says nothing."""
    async with asyncio.timeout(30), aclosing(node.health_changes()) as changes:
        async for health in changes:
            if words in health.detail if words else not health.detail:
                return health
    raise AssertionError("the node has ended")


def trail(folder: Path) -> list[dict[str, Any]]:
    """Every message of the audit trail."""
    return [
        json.loads(line)
        for path in sorted((folder / ".audit").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("program", ["storescu", "dcmsend"])
async def test_what_dcmtk_sends_has_its_rows(
    settings: Any, thing: Any, run: Any, database: str | None, program: str
) -> None:
    """Every object has a row with its sender and the checksum of its seal; study and series have one."""
    chosen = settings(index=database)
    sent = chosen.folder.with_name("sent")
    sent.mkdir()
    files = [thing(object_uid=f"1.2.3.{number}").write(sent / f"{number}.dcm") for number in range(8)]
    async with run_node(chosen) as node:
        code, output = await run(program, "-aet", "SPECTCT", "127.0.0.1", node.port, *files)
        assert code == 0, output
        found = await until(chosen.folder, database, lambda found: len(found) == 8)
    assert set(found) == {f"1.2.3/1.2.3.{number}.dcm" for number in range(8)}
    for path, row in found.items():
        assert row["checksum"] == checksum(chosen.folder / path)
        assert row["size_bytes"] == (chosen.folder / path).stat().st_size
        assert (row["calling_ae"], row["object_uid"]) == ("SPECTCT", Path(path).stem)
    (study,) = rows(chosen.folder, database, table=studies)
    assert (study["study_uid"], study["patient_id"]) == ("1.2.3", "SIM-0001")
    assert [one["series_uid"] for one in rows(chosen.folder, database, table=series)] == ["1.2.3.1"]


async def test_the_last_objects_have_their_rows_when_the_node_ends(
    settings: Any, thing: Any, console: Any
) -> None:
    """An end in order right after the answer leaves nothing for the next start."""
    chosen = settings()
    async with run_node(chosen) as node:
        await until(chosen.folder, None, lambda found: not found)
        assert await store(node, console, thing()) == [0]
    assert [row["path"] for row in rows(chosen.folder)] == ["1.2.3/1.2.3.4.5.dcm"]


@pytest.mark.parametrize(("rule", "plain"), [("keep first", b"first "), ("replace", b"other ")])
async def test_a_conflict_is_recorded_with_what_it_is(
    settings: Any, thing: Any, console: Any, rule: str, plain: bytes
) -> None:
    """Both files have a row of their own, each with its own checksum, and the index names them together."""
    senders = [{"ae_title": "CAMERA", "on_conflict": rule}]
    chosen = settings(allowed_ae_titles=(), senders=senders)
    async with run_node(chosen) as node:
        same = thing(object_uid="1.2.3.9")
        assert await store(node, console, thing(), thing(note="other "), same, same) == [0, 0, 0, 0]
        found = await until(chosen.folder, None, lambda found: len(found) == 3)
        with Catalogue.open(chosen.folder, None) as catalogue:
            conflicts = catalogue.conflicts()
    assert {path: row["checksum"] for path, row in found.items()} == {
        path: checksum(chosen.folder / path) for path in found
    }
    assert (chosen.folder / "1.2.3/1.2.3.4.5.dcm").read_bytes().endswith(plain)
    assert {uid: set(paths) for uid, paths in conflicts.items()} == {
        "1.2.3.4.5": {path for path in found if "1.2.3.4.5" in path}
    }
    assert len(conflicts["1.2.3.4.5"]) == 2


async def test_one_uid_in_two_studies_is_told(
    settings: Any, thing: Any, console: Any, database: str | None
) -> None:
    """Both objects are kept, each in its study; the trail names the UID and the two studies, once."""
    chosen = settings(index=database)
    async with run_node(chosen) as node:
        assert await store(node, console, thing(), thing(object_uid="1.9"), thing(study_uid="1.2.4")) == [0, 0, 0]
        async with asyncio.timeout(30):
            while not (found := [one for one in trail(chosen.folder) if "one UID in two studies" in str(one)]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    (message,) = found
    newcomer, other = message["ParticipantObjectIdentification"]
    assert newcomer["SOPClass"][0]["Instance"] == [{"UID": "1.2.3.4.5"}]
    assert [newcomer["ParticipantObjectID"], other["ParticipantObjectID"]] == ["1.2.4", "1.2.3"]


async def test_the_start_makes_up_for_what_happened_meanwhile(
    settings: Any, thing: Any, console: Any, database: str | None
) -> None:
    """Files without a row are added, rows without a file marked and audited, and unmarked when it is back."""
    chosen = settings(index=database)
    async with run_node(chosen) as node:
        await store(node, console, *(thing(object_uid=f"1.2.3.{number}") for number in range(3)))
        await until(chosen.folder, database, lambda found: len(found) == 3)
    folder = chosen.folder / "1.2.3"
    (folder / "1.2.3.0.dcm").rename(chosen.folder / "away")
    thing(object_uid="1.2.3.7").write(folder / "1.2.3.7.dcm")
    thing(object_uid="1.2.3.1", note="changed").write(folder / "1.2.3.1.dcm")
    (folder / "1.2.3.8.dcm").write_bytes(b"no object")
    async with run_node(chosen):
        wanted = {"1.2.3/1.2.3.1.dcm", "1.2.3/1.2.3.2.dcm", "1.2.3/1.2.3.7.dcm"}
        found = await until(chosen.folder, database, lambda found: set(found) == wanted)
    assert found["1.2.3/1.2.3.1.dcm"]["checksum"] == checksum(folder / "1.2.3.1.dcm") == "0" * 16
    missing = [
        one for one in trail(chosen.folder) if one["EventIdentification"]["EventID"]["csd-code"] == "110103"
    ]
    (study,) = missing[0]["ParticipantObjectIdentification"]
    assert (len(missing), study["ParticipantObjectID"], study["NumberOfInstances"]) == (1, "1.2.3", 1)
    (chosen.folder / "away").rename(folder / "1.2.3.0.dcm")
    async with run_node(chosen):
        await until(chosen.folder, database, lambda found: "1.2.3/1.2.3.0.dcm" in found)
    assert (folder / "1.2.3.8.dcm").exists()


async def test_a_damaged_file_of_the_index_is_made_anew(settings: Any, thing: Any, console: Any) -> None:
    """Garbage in place of the database, at the start, costs nothing but the time to read the files."""
    chosen = settings()
    async with run_node(chosen) as node:
        await store(node, console, thing())
        await until(chosen.folder, None, lambda found: len(found) == 1)
    (database,) = (chosen.folder / ".index").glob("*.sqlite")
    database.write_bytes(b"garbage " * 4096)
    async with run_node(chosen) as node:
        await until(chosen.folder, None, lambda found: list(found) == ["1.2.3/1.2.3.4.5.dcm"])
        assert node.health.detail == ""


async def test_an_index_of_another_folder_is_left_alone(settings: Any, thing: Any, console: Any) -> None:
    """A second node on one database stores its objects, says what is wrong, and writes nothing there."""
    first, second = settings(), settings(folder=settings().folder.with_name("second"))
    async with run_node(first) as node:
        await store(node, console, thing())
        await until(first.folder, None, lambda found: len(found) == 1)
    (second.folder / ".index").mkdir(parents=True)
    (second.folder / ".index" / "index.sqlite").symlink_to(first.folder / ".index" / "index.sqlite")
    async with run_node(second) as node:
        assert await store(node, console, thing(object_uid="1.2.9")) == [0]
        assert (await told(node, "give each node a database of its own")).state is LinkState.LIVE
    assert [row["path"] for row in rows(first.folder)] == ["1.2.3/1.2.3.4.5.dcm"]


@pytest.mark.peer("postgresql")
async def test_a_database_that_goes_away_costs_no_object(
    settings: Any, thing: Any, console: Any, cluster: Cluster
) -> None:
    """Objects are stored and acknowledged without it, the health says so, and their rows follow."""
    chosen = settings(index=cluster.new_database())
    async with run_node(chosen) as node:
        await store(node, console, thing(object_uid="1.2.3.0"))
        await until(chosen.folder, chosen.index, lambda found: len(found) == 1)
        cluster.stop()
        try:
            assert await store(node, console, thing(object_uid="1.2.3.1")) == [0]
            health = await told(node, chosen.index.partition("?")[0].partition("@")[2])
            assert health.state is LinkState.LIVE
            assert await store(node, console, thing(object_uid="1.2.3.2")) == [0]
        finally:
            cluster.start()
        await told(node, "")
        assert await store(node, console, thing(object_uid="1.2.3.3")) == [0]
        await until(chosen.folder, chosen.index, lambda found: len(found) == 4)


@pytest.mark.parametrize("workers", [0, 2])
async def test_a_kill_costs_no_row(
    settings: Any, thing: Any, console: Any, database: str | None, workers: int
) -> None:
    """After SIGKILL in mid-load each acknowledged object has its row, with the checksum of its own bytes."""
    chosen, acknowledged = settings(index=database, workers=workers), set()
    async with run_node(chosen) as node, console(node.port) as raw:
        assert await raw.associate() == 2
        for number in range(40):
            assert await raw.store(thing(object_uid=f"1.2.3.{number}")) == 0
            acknowledged.add(f"1.2.3/1.2.3.{number}.dcm")
        os.kill(node.process_id, signal.SIGKILL)
        await raw.closed()
    async with run_node(chosen):
        found = await until(chosen.folder, database, lambda found: acknowledged <= set(found))
    assert {path: found[path]["checksum"] for path in acknowledged} == {
        path: checksum(chosen.folder / path) for path in acknowledged
    }
