"""A display's token tells of the patient on the table, never of who was here before; a person's tells all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from fastapi.testclient import TestClient

from acquisition.session.frames import JOINED, PARTED
from acquisition.session.journal import Journal
from acquisition.tracking.registration_file import add_registration
from display.access.admission import Visitor
from display.access.people import Role
from display.app import Exhibits, create_app
from display.discretion import MOST_UNASKED, Discretion
from display.hub import Hub
from display.messages.access import SignIn
from display.messages.event import Event, Follow
from display.messages.feed import SUBPROTOCOL
from display.messages.study import StudyEntry, StudyList, StudyReport
from tests.acquisition.tracking.test_joining import NOW, Room, registration
from tests.display.access.test_admission import ENGINEER, NAME, SECRET, VIEW, Door, bearer, signed_in
from tests.display.page.room import make_study
from tests.display.recorded import UNBEGUN, kept_nowhere
from tests.display.test_app import exhibits as make_exhibits
from tests.display.test_app import state

exhibits = make_exhibits

DISPLAY = Visitor(name="a display", role=Role.VIEW)


def enter_procedure(journal: Journal, patient: str, *, is_ended: bool) -> int:
    """Record a patient's procedure; gives its number."""
    told = {"patient_id": patient, "patient_name": f"{patient}^X", "study_uid": f"1.{len(patient)}"}
    number = journal.add("begun", told)
    journal.add("marked", {"rate_cps": None, "tip_mm": None, "step": "patient"})
    if is_ended:
        journal.add(
            "moved", {"from": "patient", "to": "ended", "unmet": [], "reason": f"{patient} was called off"}
        )
    return number


def show_procedure(hub: Hub, number: int) -> None:
    """Let all displays show a procedure; 0 for none."""
    hub.publish(msgspec.structs.replace(state(number), procedure=msgspec.structs.replace(UNBEGUN, number=number)))


def entry(patient: str, study_uid: str, *, in_use: bool) -> StudyEntry:
    """Describe a received study."""
    return StudyEntry(
        study_uid=study_uid,
        patient_id=patient,
        patient_name=f"{patient}^X",
        description="",
        taken_at_utc=None,
        received_from="SPECT",
        objects=1,
        conflicts=0,
        in_use=in_use,
        usable=True,
        joined_by="",
        apart=(),
        series=(),
    )


def told_of(study_uid: str, _approach: object) -> StudyReport:
    """Report on any study."""
    return StudyReport(
        study_uid=study_uid,
        patient_id="",
        patient_name="",
        description="",
        taken_at=None,
        joined_by="",
        apart=(),
        half_life_s=None,
        nuclide=None,
        resolution=None,
        skin="",
        candidates=(),
        series=(),
    )


@pytest.fixture
def theatre(exhibits: Exhibits) -> Exhibits:
    """A room with three studies, in which Anna's procedure has ended and Berta's has begun."""
    enter_procedure(exhibits.journal, "ANNA", is_ended=True)
    exhibits.journal.add("alert", {"device": "gamma", "state": "lost", "detail": ""})
    show_procedure(exhibits.hub, enter_procedure(exhibits.journal, "BERTA", is_ended=False))
    received = (
        entry("ANNA", "1.4", in_use=False),
        entry("BERTA", "1.5", in_use=True),
        entry("BERTA", "1.6", in_use=False),
    )
    return replace(exhibits, studies=lambda: StudyList(revision=3, studies=received), report=told_of)


@pytest.fixture
def client(theatre: Exhibits, tmp_path: Path) -> Iterator[TestClient]:
    """A browser at that room, which asks who comes in."""
    app = create_app(theatre, admission=Door(tmp_path).admission)
    with TestClient(app, base_url="http://127.0.0.1") as made:
        yield made


def events_of(client: TestClient, token: str, *, since_seq: int | None = 0) -> list[Event]:
    """Follow the record, from its beginning or else as said, up to the first beat."""
    told: list[Event] = []
    with client.websocket_connect("ws://127.0.0.1/v1/events", subprotocols=[SUBPROTOCOL]) as socket:
        socket.send_text(msgspec.json.encode(SignIn(token=token)).decode())
        socket.send_text(msgspec.json.encode(Follow(since_seq=since_seq)).decode())
        while not told or told[-1].kind != "beat":
            told.append(msgspec.json.decode(socket.receive_text(), type=Event))
    return told[:-1]


@pytest.mark.parametrize("token", [VIEW, ENGINEER])
def test_the_line_of_events_names_no_former_patient(client: TestClient, token: str) -> None:
    """However early a display asks to follow from, it is told from where the shown procedure began."""
    told = events_of(client, token)
    assert [event.kind for event in told] == ["begun", "marked"]
    assert told[0].told["patient_id"] == "BERTA"


def test_a_person_is_told_the_whole_record(client: TestClient) -> None:
    """Nothing is lost for whoever acts: every entry, in order, from the first."""
    told = events_of(client, signed_in(client, NAME, SECRET))
    assert [event.seq for event in told] == list(range(1, 7))
    assert told[0].told["patient_id"] == "ANNA"


def test_who_names_no_number_is_told_of_the_patient_on_the_table(client: TestClient, theatre: Exhibits) -> None:
    """A page that is loaded reads no record of years, whoever is before it; between two it begins after one."""
    for token in (VIEW, signed_in(client, NAME, SECRET)):
        show_procedure(theatre.hub, 5)
        assert [event.seq for event in events_of(client, token, since_seq=None)] == [5, 6]
        show_procedure(theatre.hub, 0)
        assert [event.seq for event in events_of(client, token, since_seq=None)] == [4, 5, 6]


def test_between_two_patients_a_display_is_told_of_neither() -> None:
    """A restart after the end shows nobody's procedure: faults since are told, no step of hers and no name."""
    journal, hub = kept_nowhere(), Hub()
    discretion = Discretion(hub=hub, journal=journal)
    assert discretion.first_seq(DISPLAY) == 1, "nobody was here yet"
    number = enter_procedure(journal, "ANNA", is_ended=True)
    last, since = journal.newest_seq, journal.add("alert", {"device": "gamma", "state": "lost", "detail": ""})
    assert discretion.first_seq(DISPLAY) == last + 1 == since
    assert not discretion.may_read_report(DISPLAY, number)
    show_procedure(hub, number)
    assert discretion.first_seq(DISPLAY) == number, "until the next begins it is what displays show"
    assert discretion.may_read_report(DISPLAY, number)
    show_procedure(hub, 0)
    assert discretion.first_seq(DISPLAY) == since


def test_a_display_lists_the_studies_of_the_patient_in_use(client: TestClient) -> None:
    """All of hers, nobody else's, and no report on anybody else's; a person is told of all that came."""
    person = signed_in(client, NAME, SECRET)
    for token, seen in ((VIEW, ["1.5", "1.6"]), (ENGINEER, ["1.5", "1.6"]), (person, ["1.4", "1.5", "1.6"])):
        headers = bearer(token)
        listed = msgspec.json.decode(client.get("/v1/studies", headers=headers).content, type=StudyList)
        assert (listed.revision, [study.study_uid for study in listed.studies]) == (3, seen)
        assert listed.is_partial is (token != person), "some were left out"
        for study_uid in ("1.4", "1.5", "1.6"):
            status = client.get(f"/v1/studies/{study_uid}", headers=headers).status_code
            assert status == (200 if study_uid in seen else 404)


async def test_a_registration_is_told_without_the_former_patient(
    client: TestClient, theatre: Exhibits, tmp_path: Path
) -> None:
    """What a new one took the place of, and what the file holds after a restart, is told, but not of whom."""
    room = Room(tmp_path)
    for minutes, patient in ((0, "ANNA"), (5, "BERTA")):
        add_registration(room.path, registration(at=NOW + timedelta(minutes=minutes), patient_id=patient))
        await room.joining.look()
    for kind, told in room.noted:
        theatre.journal.add(kind, told)
    *_, first, second = events_of(client, VIEW)
    assert (first.kind, second.kind) == ("registered", "registered")
    assert second.told["in place of"]["registered_at"] == NOW.isoformat()
    assert "ANNA" not in str((first.told, second.told))


def test_a_registration_of_an_older_record_is_told_without_its_patient(
    client: TestClient, theatre: Exhibits
) -> None:
    """Such entries still name her; who acts is told them as they stand."""
    former, ours = ({"fre_mm": fre_mm, "patient_id": name} for fre_mm, name in ((1.5, "ANNA"), (2.5, "BERTA")))
    theatre.journal.add("registered", {"registration": ours, "in place of": former})
    assert events_of(client, VIEW)[-1].told == {"registration": {"fre_mm": 2.5}, "in place of": {"fre_mm": 1.5}}
    person = signed_in(client, NAME, SECRET)
    assert events_of(client, person)[-1].told == {"registration": ours, "in place of": former}


def test_a_display_hears_of_no_frames_but_the_shown_studys(client: TestClient, theatre: Exhibits) -> None:
    """A person may answer meanwhile for a study of the next patient; she herself is told of both."""
    person, shown = signed_in(client, NAME, SECRET), theatre.hub.newest
    assert shown is not None
    theatre.hub.publish(msgspec.structs.replace(shown, study=make_study()))
    for kind in (JOINED, PARTED):
        for study_uid in ("1.4", make_study().study_uid):
            theatre.journal.add(kind, {"study_uid": study_uid, "frames": ["1.7", "1.8"]})
    for token, uids in ((VIEW, 2 * [make_study().study_uid]), (person, 2 * ["1.4", make_study().study_uid])):
        told = [event.told["study_uid"] for event in events_of(client, token) if event.kind in {JOINED, PARTED}]
        assert told == uids


@pytest.mark.parametrize("path", ["/v1/procedure/report", "/v1/procedure/report.pdf"])
def test_a_display_reads_the_report_that_it_shows(client: TestClient, theatre: Exhibits, path: str) -> None:
    """A former patient's is for whoever acts, by its number or as the last one."""
    person, shown = signed_in(client, NAME, SECRET), theatre.journal.newest_of("begun")
    for asked in ("", f"?number={shown}"):
        assert client.get(path + asked, headers=bearer(VIEW)).status_code == 200
    former = client.get(f"{path}?number=1", headers=bearer(VIEW))
    assert former.status_code == 403
    assert "ANNA" not in former.text
    assert client.get(f"{path}?number=1", headers=bearer(person)).status_code == 200
    show_procedure(theatre.hub, 0)
    assert client.get(path, headers=bearer(VIEW)).status_code == 403


def test_a_procedure_is_told_from_its_beginning_and_what_is_of_none_from_its_newest() -> None:
    """Who names no number misses nothing of the procedure on the table, and is spared years of a room without."""
    journal, hub = kept_nowhere(), Hub()
    told = Discretion(hub=hub, journal=journal)
    for _ in range(MOST_UNASKED + 5):
        journal.add("alert", {})
    assert told.first_unasked() == 6
    number = enter_procedure(journal, "A", is_ended=False)
    show_procedure(hub, number)
    for _ in range(2 * MOST_UNASKED):
        journal.add("marked", {"rate_cps": None, "tip_mm": None, "step": "patient"})
    assert told.first_unasked() == number
