"""The display's server: feed, volumes, studies, and who may ask."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
from fastapi import WebSocketDisconnect
from fastapi.testclient import TestClient
from pypdf import PdfReader

from acquisition.session.journal import acting, open_journal
from acquisition.session.swept_path import Space
from display.app import Exhibits, create_app
from display.hub import Hub
from display.messages.event import Event, TrendList
from display.messages.feed import SUBPROTOCOL, VERSION, Heartbeat, Hello, Pong, Refusal, ServerMessage, State
from display.messages.kept import PathPoints, PathState
from display.messages.procedure import Done, ProcedureRequest
from display.messages.resection import ResectionRequest
from display.messages.study import (
    FramesApart,
    FramesRequest,
    ResolutionReport,
    StudyChoice,
    StudyList,
    StudyReport,
)
from display.shelf import Shelf, shelve
from display.states.guidance import show_nothing
from navigation.volume import Volume, VolumeGeometry
from tests.acquisition.session.damaged import damage
from tests.display.recorded import UNBEGUN, kept_nowhere, proceed, unjoined, unreported, unswept, untrended
from tests.display.resected import UNRESECTED, refuse


def state(seq: int) -> State:
    return State(
        seq=seq,
        session_id="s",
        simulated=True,
        calibrated_at=None,
        registered=False,
        server_monotonic_s=float(seq),
        server_time_utc="2026-01-01T00:00:00Z",
        spared=0,
        devices=(),
        rate=None,
        pose=None,
        targets=(),
        guidance=show_nothing(""),
        posterior=None,
        shine=None,
        rejections=(),
        study=None,
        live_image=None,
        resection=UNRESECTED,
        procedure=UNBEGUN,
        studies_revision=0,
        peak=None,
        background=None,
        path=PathState(number=0, length=0),
    )


FEED = "ws://127.0.0.1/v1/feed"

HELLO = Hello(
    version=VERSION,
    session_id="s",
    simulated=True,
    site="site",
    room="room",
    server_monotonic_s=0.0,
    server_time_utc="2026-01-01T00:00:00Z",
    stale_after_s=0.5,
)


async def choose(choice: StudyChoice) -> str | None:
    return None if choice.patient_name == "A^B" else "that is not the name in the study"


@pytest.fixture
def exhibits() -> Exhibits:
    """A server's contents, empty."""
    return Exhibits(
        hub=Hub(),
        shelf=Shelf(),
        hello=lambda: HELLO,
        studies=lambda: StudyList(revision=0, studies=()),
        choose=choose,
        report=unreported,
        frames=unjoined,
        resect=refuse,
        proceed=proceed,
        journal=kept_nowhere(),
        trend=untrended(),
        path=unswept(),
        clock=lambda: 7.0,
    )


@pytest.fixture
def client(exhibits: Exhibits) -> Iterator[TestClient]:
    """A browser without a page, on this machine."""
    with TestClient(create_app(exhibits), base_url="http://127.0.0.1") as made:
        yield made


def decode(text: str) -> ServerMessage:
    message: ServerMessage = msgspec.json.decode(text, type=ServerMessage)
    return message


def test_the_feed_says_hello_and_sends_the_newest_when_asked(client: TestClient, exhibits: Exhibits) -> None:
    """Frames made while the display was busy are spared and counted, never queued."""
    exhibits.hub.publish(state(0))
    with client.websocket_connect(FEED, subprotocols=[SUBPROTOCOL]) as socket:
        assert decode(socket.receive_text()) == HELLO
        assert isinstance(decode(socket.receive_text()), Heartbeat)
        socket.send_text('{"type":"next","last_seq":-1}')
        first = decode(socket.receive_text())
        assert isinstance(first, State)
        assert (first.seq, first.spared) == (0, 0)
        for seq in (1, 2, 3):
            exhibits.hub.publish(state(seq))
        socket.send_text('{"type":"next","last_seq":0}')
        second = decode(socket.receive_text())
        assert isinstance(second, State)
        assert (second.seq, second.spared) == (3, 2)


def test_a_ping_is_answered_with_the_servers_clock(client: TestClient) -> None:
    """The display learns the clock offset from the round trip."""
    with client.websocket_connect(FEED, subprotocols=[SUBPROTOCOL]) as socket:
        socket.receive_text()
        socket.receive_text()
        socket.send_text('{"type":"ping","client_ms":12.5}')
        assert decode(socket.receive_text()) == Pong(client_ms=12.5, server_monotonic_s=7.0)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "junk",
        "{}",
        '{"type":"fire"}',
        '{"type":"next","last_seq":0,"x":1}',
        '{"type":"next","last_seq":0' + " " * 5000 + "}",
    ],
)
def test_what_is_no_message_closes_with_words(client: TestClient, sent: str) -> None:
    """A display that speaks something else is told what and where to read."""
    with client.websocket_connect(FEED, subprotocols=[SUBPROTOCOL]) as socket:
        socket.receive_text()
        socket.receive_text()
        socket.send_text(sent)
        refusal = decode(socket.receive_text())
        assert isinstance(refusal, Refusal)
        assert "docs/feed.md" in refusal.message
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 4400


def test_another_version_is_told_to_reload(client: TestClient) -> None:
    """A display without our subprotocol is not served."""
    refused = client.websocket_connect(FEED, subprotocols=["radionav.v9"])
    with pytest.raises(WebSocketDisconnect) as closed, refused:
        pass
    assert closed.value.code == 4406


@pytest.mark.parametrize(
    "headers",
    [{"host": "attacker.example"}, {"origin": "http://attacker.example"}, {"origin": "null"}, {"host": ""}],
)
def test_foreign_pages_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    """Neither a rebound name nor a foreign page reads studies or the feed."""
    assert client.get("/v1/studies", headers=headers).status_code == 403
    refused = client.websocket_connect(FEED, subprotocols=[SUBPROTOCOL], headers=headers)
    with pytest.raises(WebSocketDisconnect) as closed, refused:
        pass
    assert closed.value.code == 4403


def test_our_own_page_is_served(client: TestClient) -> None:
    """The page's own origin passes, and answers carry the security headers."""
    answer = client.get("/v1/studies", headers={"origin": "http://127.0.0.1"})
    assert answer.status_code == 200
    policy = dict(each.split(maxsplit=1) for each in answer.headers["content-security-policy"].split("; "))
    assert {policy[name] for name in ("default-src", "connect-src", "img-src", "worker-src")} == {"'self'"}
    assert {policy[name] for name in ("object-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert len(policy) == 8, "what is named beside these may be wider than default-src"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def test_a_volume_is_fetched_by_its_digest(client: TestClient, exhibits: Exhibits) -> None:
    """The voxels come back bit for bit, once; after a change of study they are gone."""
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    geometry = VolumeGeometry(patient_from_voxel=np.eye(4), shape=(2, 3, 4), frame_of_reference_uid="1.2")
    shelved = shelve(Volume(geometry=geometry, values=values, quantity="activity concentration", unit="Bq/mL"))
    exhibits.shelf.replace(shelved)
    answer = client.get(shelved.state.url)
    assert np.array_equal(np.frombuffer(answer.content, "<f4").reshape(2, 3, 4), values)
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    etag = answer.headers["etag"]
    for held in (etag, f'"older", W/{etag}', "*"):
        assert client.get(shelved.state.url, headers={"if-none-match": held}).status_code == 304
    assert client.get(shelved.state.url, headers={"if-none-match": '"older"'}).status_code == 200
    exhibits.shelf.replace()
    assert client.get(shelved.state.url).status_code == 404


def test_a_study_needs_the_patients_identifiers(client: TestClient) -> None:
    """A wrong name is refused with words, junk and who does not say what was seen with what is missing."""
    body = {"study_uid": "1.2", "patient_id": "7", "patient_name": "A^B", "revision": 3}
    assert client.post("/v1/procedure", json=body).status_code == 204
    wrong = client.post("/v1/procedure", json={**body, "patient_name": "C^D"})
    assert (wrong.status_code, wrong.text) == (409, "that is not the name in the study")
    unseen = client.post("/v1/procedure", json={key: value for key, value in body.items() if key != "revision"})
    assert unseen.status_code == 422
    assert "revision" in unseen.text
    assert client.post("/v1/procedure", content=b"{").status_code == 422
    assert client.post("/v1/procedure", content=b" " * 70000).status_code == 413


def test_a_study_is_reported_or_not_known(exhibits: Exhibits) -> None:
    """All that was made of it under its own UID; of another nothing, with words."""
    report = StudyReport(
        study_uid="1.2",
        patient_id="7",
        patient_name="A^B",
        description="",
        taken_at=None,
        joined_by="",
        apart=(FramesApart(one_uid="1.3", other_uid="1.4"),),
        half_life_s=None,
        nuclide="Tc-99m",
        resolution=ResolutionReport(fwhm_mm=9.0, sigma_mm=2.0, words="usual for a low-energy collimator"),
        skin="found",
        candidates=(),
        series=(),
    )
    approaches: list[tuple[float, float, float] | None] = []

    def tell(study_uid: str, approach: tuple[float, float, float] | None) -> StudyReport | None:
        approaches.append(approach)
        return report if study_uid == "1.2" else None

    known = dataclasses.replace(exhibits, report=tell)
    with TestClient(create_app(known), base_url="http://127.0.0.1") as client:
        answer = client.get("/v1/studies/1.2")
        assert answer.headers["content-type"] == "application/json"
        assert msgspec.json.decode(answer.content, type=StudyReport) == report
        unknown = client.get("/v1/studies/1.5")
        assert (unknown.status_code, unknown.text) == (404, "no such study has come in, or it is being read")
        assert client.get("/v1/studies/1.2?approach=0,1,-0.5").status_code == 200
        for wrong in ("up", "0,0,0", "1,2", "nan,0,1", "inf,0,0"):
            refused = client.get(f"/v1/studies/1.2?approach={wrong}")
            assert refused.status_code == 422
            assert "wants x,y,z" in refused.text
    assert approaches == [None, None, (0.0, 1.0, -0.5)]


def test_a_persons_word_on_two_frames_reaches_the_room(exhibits: Exhibits) -> None:
    """As it was said, in the name of who said it; what the room refuses comes back as a sentence."""
    heard: list[tuple[str, FramesRequest]] = []

    async def confirm(request: FramesRequest) -> str | None:
        heard.append((acting.get(), request))
        return None if request.is_same else "nobody has confirmed it"

    body = {"study_uid": "1.2", "one_uid": "1.3", "other_uid": "1.4", "is_same": True}
    room = dataclasses.replace(exhibits, frames=confirm)
    with TestClient(create_app(room), base_url="http://127.0.0.1") as client:
        assert client.post("/v1/frames", json=body).status_code == 204
        refused = client.post("/v1/frames", json={**body, "is_same": False})
        assert (refused.status_code, refused.text) == (409, "nobody has confirmed it")
        assert client.post("/v1/frames", json={**body, "sure": True}).status_code == 422
    assert heard[0] == (
        "this machine",
        FramesRequest(study_uid="1.2", one_uid="1.3", other_uid="1.4", is_same=True),
    )


def test_a_step_is_taken_and_its_picture_kept(client: TestClient, exhibits: Exhibits) -> None:
    """What is done is answered with its entry's number; a picture goes to an entry that is there, once."""
    done: list[ProcedureRequest] = []

    async def mark(request: ProcedureRequest) -> int:
        done.append(request)
        return exhibits.journal.add("marked", {})

    png = b"\x89PNG\r\n\x1a\n"
    exhibits = dataclasses.replace(exhibits, proceed=mark)
    with TestClient(create_app(exhibits), base_url="http://127.0.0.1") as server:
        request = ProcedureRequest(revision=0, action="mark")
        answer = server.post("/v1/procedure/acts", content=msgspec.json.encode(request))
        seq = msgspec.json.decode(answer.content, type=Done).seq
        assert (answer.status_code, done, seq) == (200, [request], 1)
        entry = exhibits.journal.find(seq)
        assert entry is not None
        assert entry.person == "this machine"
        path = "/v1/procedure/pictures/{}"
        assert server.post(path.format(seq), content=b"GIF89a").status_code == 422
        assert server.post(path.format(seq), content=png + bytes(4 * 1024 * 1024)).status_code == 422
        assert server.post(path.format(9), content=png).status_code == 404
        assert server.post(path.format("x"), content=png).status_code == 422
        assert server.post(path.format(seq), content=png).status_code == 204
        assert server.post(path.format(seq), content=png).status_code == 409
        assert exhibits.journal.picture(seq) == png
    assert client.post("/v1/procedure/acts", content=b'{"revision":0,"action":"mark"}').status_code == 409
    assert client.post("/v1/procedure/acts", content=b'{"revision":0,"action":"fly"}').status_code == 422


@pytest.mark.parametrize("activity", ["-1", "0", '"much"', "NaN", "1e999", "1e5", "[2]"])
def test_what_is_no_activity_is_not_drawn(client: TestClient, exhibits: Exhibits, activity: str) -> None:
    """Refused with what was wanted, before anybody plans by it; so is a time that names no zone."""
    place = '"revision": 0, "action": "draw", "sort": "target", "place_mm": [1, 2, 3]'
    for wrong in (f'"activity_mbq": {activity}', '"activity_mbq": 1, "activity_at_utc": "2026-11-22T07:30:00"'):
        answer = client.post("/v1/procedure/acts", content=f"{{{place}, {wrong}}}")
        assert answer.status_code == 422
        assert "not a ProcedureRequest" in answer.text
    assert exhibits.journal.newest_seq == 0


def test_a_report_is_one_page_without_scripts_and_a_pdf(client: TestClient, exhibits: Exhibits) -> None:
    """The last procedure's; 404 before there is one; nothing may run or be fetched in it; both say the same."""
    for report in ("report", "report.pdf"):
        assert client.get(f"/v1/procedure/{report}").status_code == 404
    told = {"patient_id": "1", "patient_name": "A^B", "study_uid": "1.2"}
    number = exhibits.journal.add("begun", told)
    answer = client.get("/v1/procedure/report")
    assert answer.status_code == 200
    assert "A, B, ID 1" in answer.text
    assert "site, room" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(f"/v1/procedure/report?number={number}").text == answer.text
    assert client.get("/v1/procedure/report?number=7").status_code == 404
    pdf = client.get(f"/v1/procedure/report.pdf?number={number}")
    assert (pdf.headers["content-type"], pdf.headers["cache-control"]) == ("application/pdf", "no-store")
    assert f'filename="procedure-{number}.pdf"' in pdf.headers["content-disposition"]
    assert "A, B, ID 1" in PdfReader(BytesIO(pdf.content)).pages[0].extract_text()


def test_the_trend_goes_on_where_a_display_left_off(client: TestClient, exhibits: Exhibits) -> None:
    """All that is kept for who names no number, of any other what came after it."""
    for seq in range(4):
        exhibits.trend.note(state(seq))
    for query, seqs in (("", [0, 1, 2, 3]), ("?since_seq=1", [2, 3]), ("?since_seq=3", [])):
        told = msgspec.json.decode(client.get(f"/v1/trend{query}").content, type=TrendList)
        assert [point.seq for point in told.points] == seqs


def test_the_path_goes_on_where_a_display_left_off(client: TestClient, exhibits: Exhibits) -> None:
    """From its first point for who names no number; a display that has all, or claims more, gets none."""
    space = Space(study_uid="1.1", frame_of_reference_uid="1.2", patient_from_reference=[[1.0]])
    for number in range(4):
        exhibits.path.follow(space, (10.0 * number, 0.0, 0.0), now_s=float(number))
    cases = (("", 0, 4), ("?since=1", 1, 3), ("?since=4", 4, 0), (f"?since={10**30}", 4, 0), ("?since=-1", 0, 4))
    for query, first, count in cases:
        told = msgspec.json.decode(client.get(f"/v1/path{query}").content, type=PathPoints)
        assert (told.session_id, told.number, told.first) == (HELLO.session_id, exhibits.path.number, first)
        assert [point[0] for point in told.points_mm] == [10.0 * each for each in range(first, first + count)]


EVENTS = "ws://127.0.0.1/v1/events"


@pytest.mark.parametrize(("since_seq", "first"), [(0, 1), (2, 3), (7, 1), (10**30, 1)])
def test_the_line_of_events_goes_on_where_a_display_left_off(
    client: TestClient, exhibits: Exhibits, since_seq: int, first: int
) -> None:
    """A number that this record never gave is of another one, moved away meanwhile: of this all is told."""
    for _ in range(3):
        exhibits.journal.add("marked", {})
    with client.websocket_connect(EVENTS, subprotocols=[SUBPROTOCOL]) as socket:
        socket.send_text(f'{{"type":"follow","since_seq":{since_seq}}}')
        told = [msgspec.json.decode(socket.receive_text(), type=Event).seq for _ in range(first, 4)]
    assert told == list(range(first, 4))


def test_a_number_that_no_entry_can_have_is_of_none(client: TestClient, exhibits: Exhibits) -> None:
    """No procedure, no picture's entry: 404, however great it is."""
    exhibits.journal.add("begun", {"patient_id": "1", "patient_name": "A^B", "study_uid": "1.2"})
    for number in (2**63 - 1, 10**30):
        assert client.get(f"/v1/procedure/report?number={number}").status_code == 404
        assert client.get(f"/v1/procedure/report.pdf?number={number}").status_code == 404
        kept = client.post(f"/v1/procedure/pictures/{number}", content=b"\x89PNG\r\n\x1a\n")
        assert (kept.status_code, kept.text) == (404, f"there is no entry {number}")


def test_a_record_that_cannot_be_read_says_so_wherever_it_is_asked(exhibits: Exhibits, tmp_path: Path) -> None:
    """The line of events, both reports, a picture, an act: a sentence with what to do, and the server goes on."""
    path, now = tmp_path / "record.sqlite", lambda: datetime.now(tz=UTC)
    with open_journal(path, now=now) as journal:
        for _ in range(50):
            journal.add("marked", {"words": "x" * 1000})
    with open_journal(path, now=now) as journal:
        damage(path)

        async def mark(_request: ProcedureRequest) -> int:
            return len(journal.after(0))

        damaged = dataclasses.replace(exhibits, journal=journal, proceed=mark)
        with TestClient(create_app(damaged), base_url="http://127.0.0.1") as client:
            with client.websocket_connect(EVENTS, subprotocols=[SUBPROTOCOL]) as socket:
                socket.send_text('{"type":"follow","since_seq":0}')
                refusal = decode(socket.receive_text())
                with pytest.raises(WebSocketDisconnect) as closed:
                    socket.receive_text()
            answers = (
                client.get("/v1/procedure/report"),
                client.get("/v1/procedure/report.pdf"),
                client.post("/v1/procedure/pictures/1", content=b"\x89PNG\r\n\x1a\n"),
                client.post("/v1/procedure/acts", content=b'{"revision":0,"action":"mark"}'),
            )
            assert client.get("/v1/studies").status_code == 200
    assert isinstance(refusal, Refusal)
    assert closed.value.code == 1011
    for answer in answers:
        assert (answer.status_code, answer.text) == (409, refusal.message)
    assert refusal.message.endswith("move its file away and start again")


def test_the_description_names_every_message(client: TestClient) -> None:
    """/asyncapi.json lists what either side may send, with schemas that resolve."""
    document = client.get("/asyncapi.json").json()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]["feed"]["messages"]) == {
        "Hello", "State", "Heartbeat", "Pong", "Refusal", "Next", "Ping", "SignIn",
    }  # fmt: skip
    assert set(document["channels"]["events"]["messages"]) == {"Event", "Follow", "SignIn", "Refusal"}
    for message in document["components"]["messages"].values():
        assert message["payload"]["$ref"].rsplit("/", 1)[-1] in document["components"]["schemas"]


def test_what_is_marked_after_an_excision_is_done_or_refused_with_a_sentence(
    exhibits: Exhibits,
) -> None:
    """204 when it is done, 409 with the reason, 422 for junk, 413 for a flood, 403 for a foreign page."""
    asked: list[ResectionRequest] = []

    async def resect(request: ResectionRequest) -> str | None:
        asked.append(request)
        return None if request.target == "node" else "there is no such target"

    marking = TestClient(create_app(dataclasses.replace(exhibits, resect=resect)), base_url="http://127.0.0.1")
    body = {"revision": 3, "action": "remove", "target": "node"}
    assert marking.post("/v1/resection", json=body).status_code == 204
    assert asked == [ResectionRequest(revision=3, action="remove", target="node")]
    refused = marking.post("/v1/resection", json=body | {"target": "other"})
    assert (refused.status_code, refused.text) == (409, "there is no such target")
    for junk in ({}, body | {"action": "explode"}, body | {"revision": "3"}, body | {"more": 1}):
        assert marking.post("/v1/resection", json=junk).status_code == 422
    assert marking.post("/v1/resection", content=b"x" * 70_000).status_code == 413
    foreign = marking.post("/v1/resection", json=body, headers={"origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert len(asked) == 2
