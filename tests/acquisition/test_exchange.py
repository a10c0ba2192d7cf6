"""What the commands that ask peers print, and what they refuse."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.sequence import Sequence as Items
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)
from rich.console import Console

from acquisition import exchange
from acquisition.exchange import ExchangeRefused
from devices.dicom.clients.outbox import Outbox
from devices.dicom.settings import NodeSettings
from tests.devices.dicom.clients.conftest import data_set
from tests.devices.dicom.clients.kept import STUDY, kept_study, stored
from tests.devices.dicom.conftest import SECONDARY_CAPTURE, Thing


@contextmanager
def serving(model: str, *handlers: Any) -> Iterator[int]:
    """Run a peer on loopback."""
    entity = AE("PEER")
    entity.add_supported_context(model, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
    server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def node(folder: Path, *peers: dict[str, object]) -> NodeSettings:
    common: dict[str, object] = {"ae_title": "PEER", "host": "127.0.0.1"}
    named = [common | {"name": f"peer{number}"} | peer for number, peer in enumerate(peers, 1)]
    return NodeSettings.model_validate({"folder": folder, "peers": named, "allowed_ae_titles": ["PEER"]})


class Paper(Console):
    """A terminal that is read afterwards."""

    def __init__(self) -> None:
        self._written = StringIO()
        super().__init__(file=self._written, width=300)

    @property
    def lines(self) -> list[str]:
        """What stands on it."""
        return self._written.getvalue().splitlines()


def test_a_worklist_is_a_table(tmp_path: Path) -> None:
    """Each step has a line with patient, day and procedure; what was left out stands below, by reason."""
    step = data_set(Modality="NM", ScheduledProcedureStepStartDate="20260105", ScheduledStationAETitle="SPECT1")
    answer = data_set(PatientID="P1", PatientName="Doe^[Jane]", ScheduledProcedureStepSequence=Items([step]))

    def handle(event: Any) -> Iterator[Any]:
        yield 0xFF00, answer
        yield 0xFF00, data_set(PatientID="P2")
        yield 0x0000, None

    paper = Paper()
    with serving(ModalityWorklistInformationFind, (evt.EVT_C_FIND, handle)) as port:
        exchange.show_worklist(
            node(tmp_path, {"port": port, "roles": ["worklist"]}),
            peer=None,
            on=date(2026, 1, 5),
            station_ae="",
            patient_id="",
            console=paper,
        )
    (row,) = [line for line in paper.lines if "P1" in line]
    assert [cell.strip() for cell in row.strip("\u2502").split("\u2502")][:4] == [
        "2026-01-05",
        "",
        "P1",
        "Doe^[Jane]",
    ]
    assert "1 found" in paper.lines
    assert "  left out: answer 2: it has no ScheduledProcedureStepSequence (0040,0100)" in paper.lines


def query(settings: NodeSettings, paper: Paper, **said: Any) -> None:
    asked: dict[str, Any] = {
        "patient_id": "",
        "patient_name": "",
        "accession_number": "",
        "since": None,
        "until": None,
    }
    exchange.show_studies(settings, peer=None, console=paper, **(asked | said))


def test_a_query_shows_whole_uids(tmp_path: Path) -> None:
    """A UID of 64 characters is there to copy."""
    uid = "1.2." + "3" * 60

    def handle(event: Any) -> Iterator[Any]:
        yield 0xFF00, data_set(StudyInstanceUID=uid, StudyDate="20260105")
        yield 0x0000, None

    paper = Paper()
    with serving(StudyRootQueryRetrieveInformationModelFind, (evt.EVT_C_FIND, handle)) as port:
        query(node(tmp_path, {"port": port, "roles": ["archive"]}), paper, patient_id="P1")
    assert any(uid in line and "2026-01-05" in line for line in paper.lines)


def audited(folder: Path) -> list[dict[str, Any]]:
    """The audit trail, which names no patient."""
    lines = [line for path in sorted(folder.glob(".audit/*.jsonl")) for line in path.read_text().splitlines()]
    assert not any("jane" in line.lower() or "P1" in line for line in lines)
    return [json.loads(line) for line in lines]


def roles(message: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Who took part: by role (source 110153, destination 110152) title, and whether it began."""
    return {
        one.get("RoleIDCode", {}).get("csd-code", "person"): (one["UserID"], one["UserIsRequestor"])
        for one in message["ActiveParticipant"]
    }


def outcome(message: dict[str, Any]) -> tuple[str, str, int, list[str]]:
    """Which event, what was done, how it ended, about what."""
    event = message["EventIdentification"]
    about = [one["ParticipantObjectID"] for one in message["ParticipantObjectIdentification"]]
    return event["EventID"]["csd-code"], event["EventActionCode"], event["EventOutcomeIndicator"], about


def test_what_is_asked_of_others_is_audited(tmp_path: Path) -> None:
    """Worklist, query and pull: we, the peer, the person, by which SOP class, of which study, why it failed."""

    def find(_: Any) -> Iterator[Any]:
        yield 0xFF00, data_set(StudyInstanceUID="1.2", PatientID="P1", PatientName="Doe^Jane")
        yield 0x0000, None

    def move(_: Any) -> Iterator[Any]:
        yield None, None  # it does not know the destination

    model = StudyRootQueryRetrieveInformationModelFind
    with serving(model, (evt.EVT_C_FIND, find)) as port:
        settings = node(tmp_path, {"port": port, "roles": ["archive"]})
        query(settings, Paper(), patient_id="P1", patient_name="Doe*")
    mover = StudyRootQueryRetrieveInformationModelMove
    with serving(mover, (evt.EVT_C_MOVE, move)) as port:
        exchange.pull(node(tmp_path, {"port": port, "roles": ["archive"]}), STUDY, peer=None, console=Paper())
    gone = node(tmp_path, {"port": 1, "roles": ["worklist"]})
    with pytest.raises(ExchangeRefused):
        exchange.show_worklist(gone, peer=None, on=None, station_ae="", patient_id="P1", console=Paper())
    found, pulled, asked = audited(tmp_path)
    assert outcome(found) == ("110112", "E", 0, [model])
    assert outcome(pulled) == ("110112", "E", 4, [mover, STUDY])
    assert outcome(asked) == ("110112", "E", 4, [ModalityWorklistInformationFind])
    assert "A801" in pulled["EventIdentification"]["EventOutcomeDescription"]
    assert "nothing answers" in asked["EventIdentification"]["EventOutcomeDescription"]
    for message in (found, pulled, asked):
        part = roles(message)
        assert (part["110153"], part["110152"]) == (("RADIONAV", True), ("PEER", False))
        assert "@" in part["person"][0]


def test_what_is_sent_on_is_audited(tmp_path: Path) -> None:
    """Each attempt: how many objects of the study the destination took, and why it did not take the others."""
    kept_study(tmp_path, 2)
    answers = iter([0x0000, 0xA700])
    with serving(SECONDARY_CAPTURE, (evt.EVT_C_STORE, lambda _: next(answers))) as port:
        settings = node(tmp_path, {"port": port, "roles": ["destination"]})
        assert exchange.send(settings, STUDY, to="peer1", console=Paper()) is False
    (sent,) = audited(tmp_path)
    assert outcome(sent) == ("110104", "R", 4, [STUDY])
    assert sent["ParticipantObjectIdentification"][0]["NumberOfInstances"] == 1
    assert "out of resources" in sent["EventIdentification"]["EventOutcomeDescription"]
    assert (roles(sent)["110153"], roles(sent)["110152"]) == (("RADIONAV", True), ("PEER", False))


def test_a_query_for_everything_is_refused(tmp_path: Path) -> None:
    """An archive is not asked for all that it has."""
    with pytest.raises(ExchangeRefused, match="say which studies: --patient-id"):
        query(node(tmp_path, {"roles": ["archive"]}), Paper())


@pytest.mark.parametrize(
    ("peers", "sentence"),
    [
        ([], r'no archive is set up: write a \[\[dicom.peers\]\] with roles = \["archive"\]'),
        ([{"roles": ["worklist", "destination"]}], "no archive is set up"),
        ([{"roles": ["archive"]}, {"roles": ["archive"]}], "say which archive: peer1, peer2"),
        ([{"roles": ["archive"], "port": 1}], "nothing answers there"),
    ],
    ids=["none", "other roles", "two", "not there"],
)
def test_whom_to_ask_is_said(tmp_path: Path, peers: list[dict[str, object]], sentence: str) -> None:
    """Only a peer with the role is asked; which one must be clear; one that is away is said."""
    with pytest.raises(ExchangeRefused, match=sentence):
        query(node(tmp_path, *peers), Paper(), patient_id="P1")


def test_another_name_is_said(tmp_path: Path) -> None:
    """A name that no peer of the role has: the error lists those that have it."""
    with pytest.raises(ExchangeRefused, match="no archive is called pasc: the site file has peer1"):
        exchange.pull(node(tmp_path, {"roles": ["archive"]}), "1.2.3", peer="pasc", console=Paper())


def test_a_uid_that_is_none_is_refused(tmp_path: Path) -> None:
    """Neither pulled nor sent: no path is made of it."""
    settings = node(tmp_path, {"roles": ["archive", "destination"]})
    with pytest.raises(ExchangeRefused, match="the study's UID is no UID"):
        exchange.pull(settings, "../1.2", peer=None, console=Paper())
    with pytest.raises(ExchangeRefused, match="the study's UID is no UID"):
        exchange.send(settings, "../1.2", to="peer1", console=Paper())


def test_a_pull_that_is_not_whole_says_why(tmp_path: Path) -> None:
    """How many came, and the archive's reason with what to do; the result is no."""

    def handle(event: Any) -> Iterator[Any]:
        yield None, None  # it does not know the destination

    paper = Paper()
    with serving(StudyRootQueryRetrieveInformationModelMove, (evt.EVT_C_MOVE, handle)) as port:
        settings = node(tmp_path, {"port": port, "roles": ["archive"]})
        assert exchange.pull(settings, STUDY, peer=None, console=paper) is False
    (line,) = paper.lines
    assert line.startswith(f"{STUDY} did not come whole from peer1: 0 objects came; it ends with status A801")
    assert "enter title, address and port of the node there" in line


def test_a_study_is_sent_but_what_others_have_the_uids_of(tmp_path: Path) -> None:
    """Every object with its plain name is sent; of two under one UID the other is told; the result is yes."""
    taken = []

    def store(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        return 0

    kept_study(tmp_path, 2)
    stored(tmp_path / STUDY / f"{STUDY}.4.0.0123456789abcdef.dcm", Thing(object_uid=f"{STUDY}.4.0", note="other "))
    paper = Paper()
    with serving(SECONDARY_CAPTURE, (evt.EVT_C_STORE, store)) as port:
        settings = node(tmp_path, {"port": port, "roles": ["destination"]})
        assert exchange.send(settings, STUDY, to="peer1", console=paper) is True
    assert taken == [f"{STUDY}.4.0", f"{STUDY}.4.1"]
    assert f"{STUDY} to peer1: 2 of 2 objects stored" in paper.lines
    assert "1 objects are not sent: others have their UIDs, and those are" in paper.lines
    assert Outbox(tmp_path).waiting("peer1") == []


def test_what_is_not_taken_waits_and_is_listed(tmp_path: Path) -> None:
    """The destination is away: the study waits in the outbox, the result is no, and the list says why."""
    kept_study(tmp_path, 2)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings = node(tmp_path, {"port": nobody.getsockname()[1], "roles": ["destination"]})
        assert exchange.send(settings, STUDY, to="peer1", console=Paper()) is False
    paper = Paper()
    assert exchange.show_outbox(settings, console=paper) is False
    (line, count) = paper.lines
    assert line.startswith(f"{STUDY} to peer1: 0 of 2 objects stored; 2 wait, and a running radionav goes on")
    assert "nothing answers there" in line
    assert count == "1 orders"


def test_a_study_that_is_not_here_is_said(tmp_path: Path) -> None:
    """There is nothing to send, and no order is left."""
    settings = node(tmp_path, {"roles": ["destination"]})
    with pytest.raises(ExchangeRefused, match=r"no study 1\.2\.3 is in"):
        exchange.send(settings, STUDY, to="peer1", console=Paper())
    assert Outbox(tmp_path).list() == []
