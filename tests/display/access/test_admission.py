"""Who may look and act: by token, for as long as it holds, at no more than a person's pace."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from fastapi import WebSocketDisconnect
from fastapi.testclient import TestClient

from devices.clock import monotonic
from devices.dicom.web.access import TokenUnusable
from display.access.admission import (
    MOST_FAILURES,
    MOST_OF_ALL,
    AccessFiles,
    Admission,
    SignInRefused,
    TooManyTries,
)
from display.access.gate import BURST, Allowance
from display.access.people import PeopleUnusable, Person, Role, change_person
from display.app import Exhibits, create_app
from display.messages.access import Signed, SignIn, SignInRequest
from display.messages.event import Event, Follow
from display.messages.feed import SUBPROTOCOL, Hello, Refusal
from display.metrics import RoomCollector
from tests.display.test_app import decode
from tests.display.test_app import exhibits as make_exhibits

VIEW, ENGINEER, SECRET = "v" * 40, "e" * 40, "correct horse"
NAME = "Dr. Sokolova"
HERE, ELSEWHERE = "192.0.2.200", "192.0.2.201"

exhibits = make_exhibits


def write_token(path: Path, token: str) -> Path:
    path.write_text(token, encoding="ascii")
    path.chmod(0o600)
    return path


class Door:
    """A room that asks who comes in, and a clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 1000.0
        self.files = AccessFiles(
            view_token=write_token(folder / "view.token", VIEW),
            engineer_token=write_token(folder / "engineer.token", ENGINEER),
            people=folder / "people.toml",
        )
        change_person(self.files.people, NAME, role=Role.ACT, secret=SECRET)
        self.admission = Admission(self.files, lambda: self.now_s)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """A room with one person, a display's token and an engineer's."""
    return Door(tmp_path)


@asynccontextmanager
async def watching(admission: Admission) -> AsyncIterator[None]:
    """Let it look at its files."""
    task = asyncio.create_task(admission.watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def test_a_token_says_who_somebody_is(door: Door) -> None:
    """A display looks, an engineer's program reads figures, nobody else is anybody."""
    display, program = door.admission.visitor(VIEW), door.admission.visitor(ENGINEER)
    assert display is not None
    assert program is not None
    assert (display.may(Role.VIEW), display.may(Role.ACT), display.may(Role.ENGINEER)) == (True, False, False)
    assert (program.may(Role.VIEW), program.may(Role.ACT), program.may(Role.ENGINEER)) == (True, False, True)
    for wrong in ("", "v" * 39, "x" * 40):
        assert door.admission.visitor(wrong) is None


async def test_a_person_signs_in_for_a_day(door: Door) -> None:
    """Her token is another each time, and ends by the clock or by her leave."""
    token, visitor = await door.admission.sign_in(NAME, SECRET, address=HERE)
    assert (visitor.name, visitor.role) == (NAME, Role.ACT)
    assert door.admission.visitor(token) == visitor
    second, _ = await door.admission.sign_in(NAME, SECRET, address=HERE)
    assert second != token
    door.admission.sign_out(second)
    assert door.admission.visitor(second) is None
    door.now_s += 13 * 3600
    assert door.admission.visitor(token) is None


async def test_wrong_secrets_are_slowed_down(door: Door) -> None:
    """Five wrong ones, of whatever names, and nobody there is asked for a minute, not even with the right one."""
    for name in (NAME, "nobody", NAME, NAME, ""):
        with pytest.raises(SignInRefused, match="name or secret is wrong"):
            await door.admission.sign_in(name, "guess", address=ELSEWHERE)
    with pytest.raises(TooManyTries):
        await door.admission.sign_in(NAME, SECRET, address=ELSEWHERE)
    await door.admission.sign_in(NAME, SECRET, address=HERE)
    door.now_s += 61
    await door.admission.sign_in(NAME, SECRET, address=ELSEWHERE)


async def test_guessing_from_many_addresses_is_slowed_down_too(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty wrong ones within a minute, however they are spread, and nobody is asked anywhere."""

    def is_wrong(_person: Person, _secret: str) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(Person, "knows", is_wrong)  # each of fifty hashes would take a tenth of a second
        for number in range(MOST_OF_ALL):
            with pytest.raises(SignInRefused, match="name or secret is wrong"):
                await door.admission.sign_in(NAME, "guess", address=f"192.0.2.{number}")
    with pytest.raises(TooManyTries):
        await door.admission.sign_in(NAME, SECRET, address=HERE)
    door.now_s += 61
    await door.admission.sign_in(NAME, SECRET, address=HERE)


async def test_who_is_taken_out_of_a_file_is_out(door: Door) -> None:
    """A person who is removed or has another secret, and a display whose token was exchanged."""
    async with watching(door.admission), asyncio.timeout(20):
        token, _ = await door.admission.sign_in(NAME, SECRET, address=HERE)
        gone = [asyncio.create_task(door.admission.until_gone(each)) for each in (token, VIEW)]
        change_person(door.files.people, NAME, role=Role.ACT, secret="another secret")
        await gone[0]
        assert door.admission.visitor(VIEW) is not None
        write_token(door.files.view_token, "w" * 40)
        await gone[1]
        assert door.admission.visitor("w" * 40) is not None


@pytest.mark.parametrize("is_one_file", [True, False])
def test_no_room_starts_where_two_roles_share_a_token(door: Door, *, is_one_file: bool) -> None:
    """Nobody could tell who asks, and what lies in a display's browser would read the room's figures."""
    files = replace(door.files, engineer_token=door.files.view_token) if is_one_file else door.files
    assert files.engineer_token is not None
    write_token(files.engineer_token, VIEW)
    with pytest.raises(TokenUnusable, match=r"\.token: displays have or had the same token: make another"):
        Admission(files, monotonic)
    if is_one_file:
        files.view_token.unlink()
        with pytest.raises(TokenUnusable, match=r"view\.token: the token cannot be read"):
            Admission(files, monotonic)


async def test_a_displays_token_never_becomes_an_engineers(door: Door) -> None:
    """Also not once displays have another: only another one in the engineers' own file lets them in again."""
    assert door.files.engineer_token is not None
    async with watching(door.admission), asyncio.timeout(60):
        write_token(door.files.engineer_token, VIEW)
        await door.admission.until_gone(ENGINEER)
        write_token(door.files.view_token, "w" * 40)
        await door.admission.until_gone(VIEW)
        write_token(door.files.engineer_token, "f" * 40)
        while not (program := door.admission.visitor("f" * 40)):
            await door.admission._changed.wait()
        assert program.role is Role.ENGINEER
        assert door.admission.visitor(VIEW) is None


def test_a_room_starts_without_its_engineers_token(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which file is missing and how to make it, and lets in others; without the displays' it does not."""
    assert door.files.engineer_token is not None
    door.files.engineer_token.unlink()
    admission = Admission(door.files, monotonic)
    said = capsys.readouterr().out
    assert "engineer.token: the token cannot be read: No such file" in said
    assert "openssl rand -hex 32 > engineer.token" in said
    assert admission.visitor(VIEW) is not None
    assert admission.visitor(ENGINEER) is None
    door.files.view_token.unlink()
    with pytest.raises(TokenUnusable, match=r"view\.token: the token cannot be read"):
        Admission(door.files, monotonic)


@pytest.mark.parametrize("is_there", [True, False])
def test_no_room_starts_without_its_persons(door: Door, *, is_there: bool) -> None:
    """Nobody could act in it: a file that is away, or that others may read, is said with what to do."""
    if is_there:
        door.files.people.chmod(0o644)
    else:
        door.files.people.unlink()
    with pytest.raises(PeopleUnusable, match="chmod 600" if is_there else "add persons with radionav person"):
        Admission(door.files, monotonic)


async def test_a_file_that_is_lost_shuts_out_its_own_and_nobody_else(door: Door) -> None:
    """Engineer's token, persons, displays' token, one after the other; put back, each lets in again."""
    assert door.files.engineer_token is not None
    async with watching(door.admission), asyncio.timeout(60):
        token, _ = await door.admission.sign_in(NAME, SECRET, address=HERE)
        for path, lost, others in (
            (door.files.engineer_token, ENGINEER, (VIEW, token)),
            (door.files.view_token, VIEW, (ENGINEER, token)),
            (door.files.people, token, (VIEW, ENGINEER)),
        ):
            aside = path.rename(path.with_suffix(".aside"))
            await door.admission.until_gone(lost)
            assert all(door.admission.visitor(other) for other in others)
            aside.rename(path)
            while not door.admission.visitor(lost) and lost != token:
                await door.admission._changed.wait()
        await signed_in_again(door)


async def test_no_secret_is_wrong_while_the_file_of_persons_is_away(door: Door) -> None:
    """Who signs in is told why she cannot, as often as she tries, and is asked again as soon as it is back."""
    async with watching(door.admission), asyncio.timeout(60):
        token, _ = await door.admission.sign_in(NAME, SECRET, address=HERE)
        aside = door.files.people.rename(door.files.people.with_suffix(".aside"))
        await door.admission.until_gone(token)
        for _ in range(MOST_FAILURES):
            with pytest.raises(SignInRefused, match="the file of persons cannot be used: see the log"):
                await door.admission.sign_in(NAME, SECRET, address=HERE)
        aside.rename(door.files.people)
        await signed_in_again(door)


async def signed_in_again(door: Door) -> None:
    """Sign her in as soon as her file is there again."""
    while NAME not in door.admission._people:
        await door.admission._changed.wait()
    await door.admission.sign_in(NAME, SECRET, address=HERE)


async def test_most_of_the_second_is_left_to_a_busy_machine(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the second within which a token must be out no more than a quarter is waited for by intention."""
    waited_s, sleep = [0.0], asyncio.sleep

    async def pass_time(delay_s: float) -> None:
        waited_s[0] += delay_s
        await sleep(0)

    monkeypatch.setattr("display.access.admission.asyncio.sleep", pass_time)
    write_token(door.files.view_token, "w" * 40)
    async with watching(door.admission), asyncio.timeout(60):
        await door.admission.until_gone(VIEW)
    assert 0 < waited_s[0] <= 0.25


def test_an_address_has_so_many_requests(door: Door) -> None:
    """A burst, then a pace; others have their own."""
    allowance = Allowance(lambda: door.now_s)
    assert sum(allowance.spend("a") for _ in range(1000)) == BURST
    assert allowance.spend("b")
    door.now_s += 1.0
    assert 0 < sum(allowance.spend("a") for _ in range(1000)) < BURST


FRAMES = b'{"study_uid":"1","one_uid":"2","other_uid":"3","is_same":true}'


@pytest.fixture
def client(exhibits: Exhibits, door: Door) -> Iterator[TestClient]:
    """A browser at a room that asks who comes in."""
    collector = RoomCollector.__new__(RoomCollector)
    collector.collect = lambda: iter(())  # type: ignore[method-assign]  # an empty room has no figures
    app = create_app(exhibits, collector=collector, admission=door.admission)
    with TestClient(app, base_url="http://127.0.0.1") as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def signed_in(client: TestClient, name: str, secret: str) -> str:
    body = msgspec.json.encode(SignInRequest(name=name, secret=secret))
    answer = client.post("/v1/sign-in", content=body)
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return msgspec.json.decode(answer.content, type=Signed).token


def test_each_role_reaches_what_is_its_own_and_no_more(client: TestClient) -> None:
    """Looking wants a token, acting a person, figures an engineer; the page itself is anybody's."""
    person = signed_in(client, NAME, SECRET)
    for token, look, do, figures in (
        ("", 401, 401, 401),
        ("x" * 40, 401, 401, 401),
        (VIEW, 200, 403, 403),
        (ENGINEER, 200, 403, 200),
        (person, 200, 409, 403),
    ):
        headers = bearer(token) if token else {}
        assert client.get("/v1/studies", headers=headers).status_code == look
        assert client.get("/v1/trend", headers=headers).status_code == look
        assert client.get("/v1/studies/1.2", headers=headers).status_code == (404 if look == 200 else look)
        assert client.post("/v1/frames", content=FRAMES, headers=headers).status_code == do
        act = client.post("/v1/procedure/acts", content=b'{"revision":0,"action":"mark"}', headers=headers)
        assert act.status_code == do
        worklist = client.get("/v1/worklist", headers=headers).status_code
        assert worklist == (404 if token == person else do), "this room has none"
        assert client.get("/metrics", headers=headers).status_code == figures
    assert client.get("/asyncapi.json").status_code == 200


def test_a_cookie_looks_and_never_acts(client: TestClient) -> None:
    """A browser sends it whoever asked: it opens a report in a page of its own, and takes no step."""
    body = msgspec.json.encode(SignInRequest(name=NAME, secret=SECRET))
    answer = client.post("/v1/sign-in", content=body)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/v1/studies").status_code == 200
    assert client.post("/v1/procedure/acts", content=b'{"revision":0,"action":"mark"}').status_code == 401
    token = msgspec.json.decode(answer.content, type=Signed).token
    assert client.post("/v1/sign-out", headers=bearer(token)).status_code == 204
    client.cookies.clear()
    assert client.get("/v1/studies", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name":"","secret":"x"}', b'{"name":"A"}', b"x" * 9000])
def test_what_signs_nobody_in_is_refused(client: TestClient, body: bytes) -> None:
    """In words, and without saying whether there is such a person."""
    answer = client.post("/v1/sign-in", content=body)
    assert answer.status_code in {401, 413, 422}
    assert not answer.cookies


@pytest.mark.parametrize("path", ["/v1/feed", "/v1/events"])
@pytest.mark.parametrize("first", ['{"type":"next","last_seq":-1}', '{"type":"sign_in","token":"guess"}', "["])
def test_a_socket_without_a_token_hears_nothing(client: TestClient, path: str, first: str) -> None:
    """Turned away with a reason before anything of the room is sent."""
    with client.websocket_connect(f"ws://127.0.0.1{path}", subprotocols=[SUBPROTOCOL]) as socket:
        socket.send_text(first)
        assert isinstance(decode(socket.receive_text()), Refusal)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 4401


def test_no_more_displays_look_than_there_is_room_for(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of those that connect at once, and sign in only then."""
    monkeypatch.setattr("display.app.MOST_DISPLAYS", 1)
    sign_in = msgspec.json.encode(SignIn(token=VIEW)).decode()
    url, spoken = "ws://127.0.0.1/v1/feed", [SUBPROTOCOL]
    with client.websocket_connect(url, spoken) as first, client.websocket_connect(url, spoken) as second:
        first.send_text(sign_in)
        assert isinstance(decode(first.receive_text()), Hello)
        second.send_text(sign_in)
        with pytest.raises(WebSocketDisconnect) as closed:
            second.receive_text()
    assert closed.value.code == 4429


def test_a_display_signs_in_by_its_first_message(client: TestClient, exhibits: Exhibits, door: Door) -> None:
    """On either line; once its token is exchanged it is turned away in mid-stream."""
    sign_in = msgspec.json.encode(SignIn(token=VIEW)).decode()
    with client.websocket_connect("ws://127.0.0.1/v1/feed", subprotocols=[SUBPROTOCOL]) as socket:
        socket.send_text(sign_in)
        assert isinstance(decode(socket.receive_text()), Hello)
    exhibits.journal.add("marked", {"number": 1})
    exhibits.journal.add("marked", {"number": 2})
    with client.websocket_connect("ws://127.0.0.1/v1/events", subprotocols=[SUBPROTOCOL]) as socket:
        socket.send_text(sign_in)
        socket.send_text(msgspec.json.encode(Follow(since_seq=1)).decode())
        event = msgspec.json.decode(socket.receive_text(), type=Event)
        assert (event.seq, event.told) == (2, {"number": 2})
        door.admission._tokens = {}
        door.admission._tell()
        told = socket.receive_text()
        while '"beat"' in told:
            told = socket.receive_text()
        assert isinstance(decode(told), Refusal)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 4401
