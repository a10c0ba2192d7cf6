"""Studies pulled from an archive by C-MOVE and C-GET, into a node that runs, by its own checks."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.presentation import StoragePresentationContexts
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from devices.dicom.client import StorageNode, run_node
from devices.dicom.clients.answers import Fate
from devices.dicom.clients.association import PeerFailed
from devices.dicom.clients.retrieval import COMPRESSED_CLASSES, Retrieved, SubOperations, retrieve
from devices.dicom.clients.sending import send
from devices.dicom.clients.studies import find_studies
from devices.dicom.settings import NodeSettings, Peer
from devices.dicom.storage.part10 import FileMeta, is_sound
from tests.devices.dicom.clients.conftest import data_set
from tests.devices.dicom.clients.kept import STUDY, kept_study, stored
from tests.devices.dicom.clients.walled import INSIDE, OUTSIDE, walled
from tests.devices.dicom.conftest import SECONDARY_CAPTURE, Thing

ARCHIVE = f"""
NetworkTCPPort = {INSIDE}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
node = (RADIONAV, 127.0.0.1, {OUTSIDE})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PEER database RW (20, 1024mb) ANY
AETable END
"""


@asynccontextmanager
async def archive(
    folder: Path, make: Any, node: StorageNode, objects: list[Path], **said: object
) -> AsyncIterator[Peer]:
    """Run dcmqrscp with these objects, which it got by our own C-STORE."""
    (folder / "database").mkdir()
    file = folder / "dcmqrscp.cfg"
    file.write_text(ARCHIVE)
    command = ("dcmqrscp", "-c", file, INSIDE)
    async with walled(*command, folder=folder, title="PEER", node_port=node.port) as port:
        peer: Peer = make(port, **said)
        answers = await asyncio.to_thread(lambda: list(send(peer, objects, calling_ae="RADIONAV")))
        assert {answer.fate for answer in answers} == {Fate.STORED}
        yield peer


async def pulled(peer: Peer, node: NodeSettings) -> tuple[Retrieved, list[SubOperations]]:
    told: list[SubOperations] = []
    came = await asyncio.to_thread(lambda: retrieve(peer, STUDY, node, tell=told.append))
    return came, told


def at(node: StorageNode, settings: NodeSettings) -> NodeSettings:
    """The settings of a running node, its port filled in."""
    return settings.model_copy(update={"port": node.port})


@pytest.mark.peer("dcmtk", "socat")
@pytest.mark.parametrize("retrieval", ["move", "get"])
async def test_a_study_comes_from_a_real_archive(
    walls: None, peer: Any, settings: Any, tmp_path: Path, retrieval: str
) -> None:
    """Dcmqrscp is found to have a study and sends it: the node announces it, whole, sound, byte for byte."""
    objects = kept_study(tmp_path / "sources", 5)
    chosen = settings(allowed_ae_titles=("PEER",), workers=0)
    async with asyncio.timeout(60), run_node(chosen) as node:
        async with archive(tmp_path, peer, node, objects, retrieval=retrieval) as there:
            found = await asyncio.to_thread(find_studies, there, calling_ae="RADIONAV", patient_id="SIM-0001")
            assert [study.study_uid for study in found.items] == [STUDY]
            came, told = await pulled(there, at(node, chosen))
        announced = await anext(node.studies())
    assert came.is_whole
    assert (came.counts.completed, came.counts.failed, came.failed) == (5, 0, {})
    assert [counts.completed for counts in told] == sorted(counts.completed for counts in told)
    assert len(told) > 1
    assert announced.calling_ae == "PEER"
    assert sorted(path.name for path in announced.objects) == sorted(path.name for path in objects)
    for path in announced.objects:
        assert is_sound(path)
        assert FileMeta.read(path)[0].calling_ae == "PEER"
        assert Thing(object_uid=path.stem).data_set in path.read_bytes()


@pytest.mark.parametrize("retrieval", ["move", "get"])
async def test_an_archive_that_is_not_let_in_is_not_asked(peer: Any, settings: Any, retrieval: str) -> None:
    """The list of who may send is not gone round: nothing is even asked of an archive that is not on it."""
    with pytest.raises(PeerFailed, match="the node would not let it in: list PEER in allowed_ae_titles"):
        await pulled(peer(1, retrieval=retrieval), settings(allowed_ae_titles=("OTHER",)))


GET, MOVE = StudyRootQueryRetrieveInformationModelGet, StudyRootQueryRetrieveInformationModelMove


def given(thing: Thing) -> Dataset:
    """Make an object as pynetdicom sends it."""
    made = data_set(
        SOPClassUID=SECONDARY_CAPTURE, SOPInstanceUID=thing.object_uid, StudyInstanceUID=thing.study_uid
    )
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def giving(*things: Thing) -> Any:
    def handle(event: Any) -> Iterator[Any]:
        yield len(things)
        for thing in things:
            yield 0xFF00, given(thing)

    return evt.EVT_C_GET, handle


@pytest.fixture
def serve_get(serve: Any) -> Any:
    """Run an archive of pynetdicom that serves C-GET."""

    def run(*handlers: Any) -> Any:
        return serve([GET], *handlers, gives=[SECONDARY_CAPTURE])

    return run


async def test_the_nodes_own_checks_hold_for_what_is_pulled(serve_get: Any, peer: Any, settings: Any) -> None:
    """The node has no room: it answers A700 through us, the object is named as failed, and nothing is stored."""
    chosen = settings(allowed_ae_titles=("PEER",), workers=0, free_floor_mb=10**9)
    with serve_get(giving(Thing())) as port:
        async with asyncio.timeout(60), run_node(chosen) as node:
            came, _ = await pulled(peer(port, retrieval="get"), at(node, chosen))
    assert not came.is_whole
    assert came.failed == {"1.2.3.4.5": "A700: out of resources: make room there"}
    assert not list(chosen.folder.glob("*/*.dcm"))


async def test_a_rule_for_another_network_is_said(serve_get: Any, peer: Any, settings: Any) -> None:
    """The archive's rule names its network alone: what it sends on our association is not let in, in words."""
    rule = {"ae_title": "PEER", "networks": ["10.0.0.0/8"]}
    chosen = settings(allowed_ae_titles=("OTHER",), senders=(rule,), workers=0)
    with serve_get(giving(Thing())) as port:
        async with asyncio.timeout(60), run_node(chosen) as node:
            with pytest.raises(PeerFailed, match=r"cannot be stored: .*let PEER in from this machine"):
                await pulled(peer(port, retrieval="get"), at(node, chosen))


async def test_a_node_that_does_not_run_is_said(serve_get: Any, peer: Any, settings: Any) -> None:
    """Without radionav running nothing is pulled: the error says to start it."""
    with serve_get(giving(Thing())) as port, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        chosen = settings(port=taken.getsockname()[1])
        with pytest.raises(PeerFailed, match=r"nothing answers there .*radionav must run"):
            await pulled(peer(port, retrieval="get"), chosen)


async def test_an_archive_that_does_not_know_us_is_said(serve: Any, peer: Any, settings: Any) -> None:
    """C-MOVE to a destination unknown there (A801): the error says to enter the node at the archive."""

    def handle(event: Any) -> Iterator[Any]:
        yield None, None

    with serve([MOVE], (evt.EVT_C_MOVE, handle)) as port:
        came, _ = await pulled(peer(port), settings())
    assert not came.is_whole
    assert "A801: it does not know our AE title as a destination" in came.reason


async def test_an_archive_is_asked_in_our_name_for_us(serve: Any, peer: Any, settings: Any) -> None:
    """C-MOVE for one study, by our title, called by its own, to our title, which it knows the address of."""
    asked = []

    def handle(event: Any) -> Iterator[Any]:
        requestor = event.assoc.requestor.primitive
        titles = (requestor.calling_ae_title, requestor.called_ae_title, event.move_destination)
        asked.append((*titles, event.identifier.QueryRetrieveLevel, event.identifier.StudyInstanceUID))
        yield None, None

    with serve([MOVE], (evt.EVT_C_MOVE, handle)) as port:
        await pulled(peer(port), settings(ae_title="OR3"))
    assert asked == [("OR3", "PEER", "OR3", "STUDY", STUDY)]


async def test_what_failed_is_named(serve_get: Any, peer: Any, settings: Any) -> None:
    """Of two objects one is refused by the node's rule: the archive's last answer counts it, and it is named."""
    rule = {"ae_title": "PEER", "on_conflict": "reject"}
    chosen = settings(allowed_ae_titles=("OTHER",), senders=(rule,), workers=0)
    with serve_get(giving(Thing(), Thing(object_uid="1.2.3.4.6"))) as port:
        async with asyncio.timeout(60), run_node(chosen) as node:
            other_bytes = stored(chosen.folder.parent / "other.dcm", Thing(note="other "))
            ours = Peer(name="node", ae_title="RADIONAV", host="127.0.0.1", port=node.port)
            await asyncio.to_thread(lambda: list(send(ours, [other_bytes], calling_ae="PEER")))
            came, told = await pulled(peer(port, retrieval="get"), at(node, chosen))
    assert not came.is_whole
    assert (came.counts.completed, came.counts.failed) == (1, 1)
    assert came.failed == {"1.2.3.4.5": "0111: it has other bytes under this UID"}
    assert told[-1].failed == 1


async def test_what_the_archive_could_not_send_is_named(serve_get: Any, peer: Any, settings: Any) -> None:
    """Its list of failed objects (0008,0058) is told, without a reason, for it gives none."""

    def handle(event: Any) -> Iterator[Any]:
        yield 1
        cannot_be_sent = given(Thing())
        del cannot_be_sent.file_meta
        yield 0xFF00, cannot_be_sent

    chosen = settings(allowed_ae_titles=("PEER",), workers=0)
    with serve_get((evt.EVT_C_GET, handle)) as port:
        async with asyncio.timeout(60), run_node(chosen) as node:
            came, _ = await pulled(peer(port, retrieval="get"), at(node, chosen))
    assert came.failed == {"1.2.3.4.5": ""}
    assert came.counts.failed == 1
    assert not came.is_whole


async def test_a_study_that_is_not_there_is_said(serve_get: Any, peer: Any, settings: Any) -> None:
    """Success without an object is no success."""
    chosen = settings(allowed_ae_titles=("PEER",), workers=0)
    with serve_get(giving()) as port:
        async with asyncio.timeout(60), run_node(chosen) as node:
            came, _ = await pulled(peer(port, retrieval="get"), at(node, chosen))
    assert came.reason == "it has no such study, or sends nothing of it"


async def test_an_archive_without_get_is_said(serve: Any, peer: Any, settings: Any) -> None:
    """One that accepts C-MOVE only is told apart from one that has nothing."""
    with serve([MOVE]) as port, pytest.raises(PeerFailed, match="accepts nothing of what we ask for"):
        await pulled(peer(port, retrieval="get"), settings())


async def test_a_break_in_the_middle_is_said(serve_get: Any, peer: Any, settings: Any) -> None:
    """An abort between objects is an error; what the node has acknowledged stays."""

    def handle(event: Any) -> Iterator[Any]:
        yield 2
        yield 0xFF00, given(Thing())
        event.assoc.abort()
        yield 0xFE00, None

    chosen = settings(allowed_ae_titles=("PEER",), workers=0)
    with serve_get((evt.EVT_C_GET, handle)) as port:
        async with asyncio.timeout(60), run_node(chosen) as node:
            with pytest.raises(PeerFailed, match="broken the association off"):
                await pulled(peer(port, retrieval="get"), at(node, chosen))
    assert len(list(chosen.folder.glob("*/*.dcm"))) == 1


def test_an_association_has_room_for_every_class() -> None:
    """The classes that are offered, plain and compressed, and the query fit an association's 128 contexts."""
    plain = {context.abstract_syntax for context in StoragePresentationContexts}
    assert set(COMPRESSED_CLASSES) <= plain
    assert 1 + len(plain) + len(COMPRESSED_CLASSES) <= 128
