"""The commands that ask the hospital's other nodes, as they are installed, by a site file."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.sequence import Sequence as Items
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

import config
from devices.dicom.client import run_node
from devices.dicom.settings import NodeSettings
from tests.devices.dicom.clients.conftest import data_set
from tests.devices.dicom.clients.kept import STUDY, kept_study
from tests.devices.dicom.conftest import SECONDARY_CAPTURE
from tests.devices.mosquitto_peer import free_port
from tests.system.running import finish

pytestmark = pytest.mark.timeout(180)

SHIPPED = Path(config.__file__).parent

PEERS = """
[[dicom.peers]]
name = "hospital"
ae_title = "PEER"
host = "127.0.0.1"
port = {port}
roles = ["worklist", "archive", "destination"]
"""


@contextmanager
def hospital(*handlers: Any) -> Iterator[int]:
    """Run a node that serves everything, and moves studies to nobody."""
    entity = AE("PEER")
    for model in (
        Verification,
        ModalityWorklistInformationFind,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelMove,
        SECONDARY_CAPTURE,
    ):
        entity.add_supported_context(model, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
    server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def write_site(folder: Path, *, port: int, node_port: int) -> Path:
    """Write a site file that names the peer."""
    content = (SHIPPED / "site.toml").read_text().replace("port = 11112", f"port = {node_port}")
    content = content.replace('allowed_ae_titles = ["SPECTCT"]', 'allowed_ae_titles = ["PEER"]')
    site = folder / "site.toml"
    site.write_text(content + PEERS.format(port=port))
    return site


async def test_the_hospital_is_asked_by_command(tmp_path: Path) -> None:
    """Worklist, query, pull, send and outbox print what the peer answers, and check says that it answers."""
    sent = []

    def find(event: Any) -> Iterator[Any]:
        if event.request.AffectedSOPClassUID == ModalityWorklistInformationFind:
            step = data_set(Modality="NM", ScheduledProcedureStepStartDate="20260105")
            yield 0xFF00, data_set(PatientID="P1", ScheduledProcedureStepSequence=Items([step]))
        else:
            yield 0xFF00, data_set(StudyInstanceUID=STUDY, PatientID="P1")
        yield 0x0000, None

    def move(event: Any) -> Iterator[Any]:
        yield None, None

    def store(event: Any) -> int:
        sent.append(event.request.AffectedSOPInstanceUID)
        return 0xA900 if len(sent) == 3 else 0

    with hospital((evt.EVT_C_FIND, find), (evt.EVT_C_MOVE, move), (evt.EVT_C_STORE, store)) as port:
        site = write_site(tmp_path, port=port, node_port=free_port())
        kept_study(tmp_path / "studies", 3)

        async def command(*arguments: str) -> tuple[int, str]:
            code, output, complaints = await asyncio.to_thread(
                finish, *arguments, "--config", site, folder=tmp_path
            )
            assert "Traceback" not in complaints
            return code, output or complaints

        _, told = await command("check")
        assert any(
            line.split()[:2] == ["hospital", "ok"] and "PEER answers C-ECHO" in line for line in told.splitlines()
        )
        code, told = await command("worklist", "--on", "2026-01-05")
        assert (code, "P1" in told, "1 found" in told) == (0, True, True)
        code, told = await command("query", "--patient-id", "P1")
        assert (code, STUDY in told, "1 found" in told) == (0, True, True)
        code, told = await command("pull", STUDY)
        assert code == 1
        assert "A801" in told
        code, told = await command("send", STUDY, "--to", "hospital")
        assert code == 1
        assert "2 of 3 objects stored" in told
        assert f"{STUDY}.4.2: A900: the data set does not match its class" in told
        code, told = await command("outbox")
        assert code == 1
        assert "2 of 3 objects stored" in told
        code, told = await command("send", STUDY, "--to", "elsewhere")
        assert code == 2
        assert told == "no destination is called elsewhere: the site file has hospital\n"
    assert len(sent) == 3


async def test_what_a_command_left_the_node_sends(tmp_path: Path) -> None:
    """The destination is away when the command asks; the node, running then, sends it when it is there."""
    port = free_port()
    site = write_site(tmp_path, port=port, node_port=free_port())
    kept_study(tmp_path / "studies", 2)
    code, told, _ = await asyncio.to_thread(
        finish, "send", STUDY, "--to", "hospital", "--config", site, folder=tmp_path
    )
    assert code == 1
    assert "2 wait" in told
    taken: set[str] = set()
    all_taken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def store(event: Any) -> int:
        taken.add(event.request.AffectedSOPInstanceUID)
        if len(taken) == 2:
            loop.call_soon_threadsafe(all_taken.set)
        return 0

    peer = {"name": "hospital", "ae_title": "PEER", "host": "127.0.0.1", "roles": ["destination"]}
    with hospital((evt.EVT_C_STORE, store)) as there:
        settings = NodeSettings.model_validate(
            {"port": 0, "folder": tmp_path / "studies", "peers": [peer | {"port": there}], "free_floor_mb": 1}
        )
        async with asyncio.timeout(60), run_node(settings):
            await all_taken.wait()
    assert taken == {f"{STUDY}.4.0", f"{STUDY}.4.1"}
