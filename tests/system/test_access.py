"""Who comes in: the whole service and its sign-in over TLS, and tokens that are revoked in mid-stream.

A surgeon signs in on the page itself, and acts with a pedal whose keys stand in the site file.
"""

import asyncio
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from acquisition.session.journal import Entry, open_journal
from display.access.people import Role, change_person, read_people
from display.messages.access import SignIn
from display.messages.event import Event, Follow
from display.messages.feed import SUBPROTOCOL, Hello, ServerMessage
from display.page.hatch_build import build_page
from tests.devices.dicom.certificates import certify
from tests.display.page.room import PATIENCE_MS, RECORD_WORDS, browse, state_of, wait_until_live
from tests.display.page.test_pedal import hold
from tests.system.running import PATIENCE_S, Service, running
from tests.system.test_site import theatre, write_site

pytestmark = [pytest.mark.peer("openssl"), pytest.mark.timeout(400)]

SURGEON, SECRET = "Dr. Соколова", "correct horse battery"
VIEW = "v" * 40
CLOSED_WITHIN_S = 1.0
ATTEMPTS = 4
"""A busy host may make one closing late, but not each of a few."""

SECURED = """
[display.tls]
certificate = "display.pem"
key = "display.key"

[display.access]
view_token = "view.token"
people = "people.toml"
"""


def write_token(path: Path, token: str) -> None:
    """Put a token in place at once, as an engineer does."""
    fresh = path.with_suffix(".new")
    fresh.write_text(token, encoding="ascii")
    fresh.chmod(0o600)
    fresh.replace(path)


PEDAL = """
[display.keys]
F13 = "mark"
PageDown = "hold"
"""


class Front:
    """A browser that trusts the room's certificate alone."""

    def __init__(self, service: Service, certificate: Path) -> None:
        self.address = service.said(r"the display is at https://(\S+)/\n")[1]
        self._trust = ssl.create_default_context(cafile=certificate)

    def ask(self, method: str, path: str, body: object = None, *, token: str = "") -> tuple[int, bytes]:
        """Ask over HTTPS; status and body."""
        connection = http.client.HTTPSConnection(self.address, timeout=PATIENCE_S, context=self._trust)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def sign_in(self, secret: str = SECRET) -> str:
        """Sign the surgeon in; her token."""
        status, body = self.ask("POST", "/v1/sign-in", {"name": SURGEON, "secret": secret})
        assert status == 200, body
        return str(json.loads(body)["token"])

    @contextmanager
    def line(self, path: str, token: str) -> Iterator[ClientConnection]:
        """Open a socket and sign in by its first message."""
        spoken = [Subprotocol(SUBPROTOCOL)]
        address = f"wss://{self.address}{path}"
        with connect(address, subprotocols=spoken, ssl=self._trust, proxy=None, ping_interval=None) as socket:
            socket.send(msgspec.json.encode(SignIn(token=token)).decode())
            yield socket


def closed_at(socket: ClientConnection) -> float:
    """Read until it is closed because the token holds no longer; the time of day then, s."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=PATIENCE_S)
    closed_s = time.time()
    assert socket.close_code == 4401
    return closed_s


def revoked_in_time(front: Front, path: str, token: Callable[[], str], revoke: Callable[[], float]) -> None:
    """See an open line closed in time after its token was revoked; ``revoke`` gives the time when it was."""
    delays_s = []
    for _ in range(ATTEMPTS):
        held = token()
        with front.line(path, held) as socket:
            if path == "/v1/events":
                socket.send(msgspec.json.encode(Follow(since_seq=0)).decode())
            socket.recv(timeout=PATIENCE_S)
            revoked_s = revoke()
            delays_s.append(closed_at(socket) - revoked_s)
        assert front.ask("GET", "/v1/studies", token=held)[0] == 401
        if delays_s[-1] <= CLOSED_WITHIN_S:
            return
    pytest.fail(f"closed after {delays_s} s")


async def test_the_whole_room_over_tls_with_signed_in_persons(tmp_path: Path) -> None:
    """Nothing without a token; the surgeon acts under her name; both lines close within 1 s of a revocation."""
    await asyncio.to_thread(certify, tmp_path, "display")
    write_token(tmp_path / "view.token", VIEW)
    async with theatre(tmp_path) as devices:
        site = write_site(tmp_path, devices, more=SECURED)
        await asyncio.to_thread(the_room_is_closed_but_to_persons, site)


def the_room_is_closed_but_to_persons(site: Path) -> None:
    """Go through it beside the devices' event loop."""
    folder = site.parent
    people = folder / "people.toml"
    change_person(people, SURGEON, role=Role.ACT, secret=SECRET)
    with running("--config", site, "--port", 0, "--dicom-port", 0, folder=folder) as service:
        front = Front(service, folder / "display.pem")
        plain_text_is_refused(front.address)
        for method, path in (
            ("GET", "/v1/studies"),
            ("GET", "/v1/procedure/report.pdf"),
            ("POST", "/v1/resection"),
        ):
            assert front.ask(method, path)[0] == 401
        assert front.ask("POST", "/v1/sign-in", {"name": SURGEON, "secret": "wrong secret"})[0] == 401
        token = front.sign_in()
        status, body = front.ask("POST", "/v1/procedure/acts", {"revision": 0, "action": "mark"}, token=token)
        assert status == 200, body
        assert front.ask("POST", "/v1/procedure/acts", {"revision": 0, "action": "mark"}, token=VIEW)[0] == 403
        seq = json.loads(body)["seq"]
        with front.line("/v1/events", VIEW) as socket:
            socket.send(msgspec.json.encode(Follow(since_seq=seq - 1)).decode())
            event = msgspec.json.decode(socket.recv(timeout=PATIENCE_S), type=Event)
            assert (event.seq, event.kind, event.person) == (seq, "marked", SURGEON)
        with front.line("/v1/feed", VIEW) as socket:
            hello: Any = msgspec.json.decode(socket.recv(timeout=PATIENCE_S), type=ServerMessage)
            assert isinstance(hello, Hello)

        def remove() -> float:
            change_person(people, SURGEON, role=None, secret="")
            return time.time()

        def add_and_sign_in() -> str:
            if SURGEON not in read_people(people):  # changed while she signs in, she would rightly be refused
                change_person(people, SURGEON, role=Role.ACT, secret=SECRET)
            deadline_s = time.monotonic() + PATIENCE_S
            while front.ask("POST", "/v1/sign-in", {"name": SURGEON, "secret": SECRET})[0] != 200:
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
            return front.sign_in()

        revoked_in_time(front, "/v1/events", add_and_sign_in, remove)
        exchanges = iter(f"{number}" * 40 for number in range(2 * ATTEMPTS))

        def new_view_token() -> str:
            token = next(exchanges)
            write_token(folder / "view.token", token)
            deadline_s = time.monotonic() + PATIENCE_S
            while front.ask("GET", "/v1/studies", token=token)[0] != 200:
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
            return token

        def exchange() -> float:
            write_token(folder / "view.token", next(exchanges))
            return time.time()

        revoked_in_time(front, "/v1/feed", new_view_token, exchange)
        service.terminate()
        assert service.ended() == 0
        assert "Traceback" not in service.complaints
        assert SECRET not in service.complaints


def plain_text_is_refused(address: str) -> None:
    """Without TLS there is no answer."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    connection.request("GET", "/v1/studies")
    try:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            connection.getresponse()
    finally:
        connection.close()


@pytest.mark.peer("chromium")
async def test_a_surgeon_signs_in_on_the_page_and_marks_with_a_pedal(tmp_path: Path) -> None:
    """Over TLS, by the site file's keys: what the pedal does before she signs in is nobody's, then it is hers."""
    await asyncio.to_thread(build_page)
    await asyncio.to_thread(certify, tmp_path, "display")
    write_token(tmp_path / "view.token", VIEW)
    await asyncio.to_thread(change_person, tmp_path / "people.toml", SURGEON, role=Role.ACT, secret=SECRET)
    async with theatre(tmp_path) as devices:
        site = write_site(tmp_path, devices, more=SECURED + PEDAL)
        with running("--config", site, "--port", 0, "--dicom-port", 0, folder=tmp_path) as service:
            address = await asyncio.to_thread(lambda: service.said(r"the display is at (https://\S+)\n")[1])
            async with browse() as browser:
                page = await browser.new_page(ignore_https_errors=True)  # it is signed by itself
                page.set_default_timeout(PATIENCE_MS)
                await page.add_init_script(RECORD_WORDS)
                await page.goto(address)
                await page.get_by_label("Token of this display").fill(VIEW)
                await page.keyboard.press("Enter")
                await wait_until_live(page)
                await state_of(page, "#rate", "ok")
                await hold(page, "PageDown")
                pedal = "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'F13', code: 'F13' }))"
                await page.evaluate(pedal)
                await page.get_by_label("Name").fill(SURGEON)
                await page.get_by_label("Secret").fill(SECRET)
                await page.keyboard.press("Enter")
                await expect(page.get_by_role("button", name=f"Sign out {SURGEON}")).to_be_visible()
                await wait_until_live(page)
                async with page.expect_response("**/v1/procedure/acts") as answer:
                    await page.evaluate(pedal)
                assert (await answer.value).status == 200
            service.terminate()
            assert await asyncio.to_thread(service.ended) == 0
    marks = await asyncio.to_thread(marks_of, tmp_path)
    assert [mark.person for mark in marks] == [SURGEON]


def marks_of(folder: Path) -> list[Entry]:
    """Read the marks in the record of a room that has ended."""
    with open_journal(folder / "var" / "procedures.sqlite", now=lambda: datetime.now(tz=UTC)) as journal:
        return journal.of("marked")
