"""Associations with peers that misbehave, over TLS and plain: ended in time, nothing left, said in words."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.dul import DULServiceProvider
from pynetdicom.presentation import build_context

from devices.clock import monotonic
from devices.dicom.client import run_node
from devices.dicom.clients.association import Hangup, PeerFailed, associated
from devices.dicom.settings import NodeSettings, Peer
from devices.reaching import reach_peer
from tests.devices.dicom.certificates import Authority, certify

VERIFICATION = "1.2.840.10008.1.1"


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give a listening socket to a thread and wait for its end; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


@contextmanager
def speaking(said: bytes, *, closes: bool = False) -> Iterator[int]:
    """Run a server that says the same to everybody, whatever it is asked; gives its port."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(said)
            if not closes:
                over.wait(30)

    with serving(serve) as port:
        try:
            yield port
        finally:
            over.set()


@contextmanager
def shaking_hands(key: Path, certificate: Path, *, ciphers: str) -> Iterator[int]:
    """Run a server that ends TLS 1.2 as soon as it is agreed upon; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.load_cert_chain(certificate, key)

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)

    with serving(serve) as port:
        yield port


def opened(peer: Peer, hangup: Hangup | None = None) -> None:
    with associated(peer, [build_context(VERIFICATION)], calling_ae="RADIONAV", hangup=hangup):
        pass


@contextmanager
def accepting_nobody() -> Iterator[int]:
    """Run a server whose queue of connections is full, so that the next one waits; gives its port."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def connecting(port: int) -> int:
    """How many of this machine's connections to a port wait to be answered (02 is SYN_SENT, proc(5))."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "02" for line in lines)


def soon(is_so: Callable[[], bool]) -> bool:
    """Whether something comes to be within a time that a busy host keeps too."""
    until_s = monotonic() + 30
    while not is_so():
        if monotonic() > until_s:
            return False
        threading.Event().wait(0.01)
    return True


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert not [name for name in left if "asyncio" not in name], left


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (bytes.fromhex("030000000004 00010103"), "it does not know our AE title RADIONAV: enter it there"),
        (bytes.fromhex("030000000004 00010107"), "its own AE title is not PEER: correct the title"),
        (bytes.fromhex("030000000004 00020302"), "it has as many associations as it takes: try again"),
        (bytes.fromhex("030000000004 00010101"), r"it rejects the association \(source 1, diagnostic 1\)"),
        (bytes.fromhex("070000000004 00000200"), "does not answer as DICOM does"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not answer as DICOM does"),
        (b"\x02\x00\xff\xff\xff\xff", "does not answer as DICOM does"),
        (b"", "does not answer as DICOM does"),
    ],
    ids=["calling title", "called title", "busy", "no reason", "abort", "HTTP", "PDU of 4 GB", "silence"],
)
def test_no_association_is_said(peer: Any, said: bytes, sentence: str) -> None:
    """Every way not to open one ends in time, with what to do."""
    is_whole = bool(said) and not said.endswith(b"\xff")
    with speaking(said) as port, pytest.raises(PeerFailed, match=sentence):
        # short where nothing comes; long where an answer does, which a busy host may keep back
        opened(peer(port, connect_time_s=5 if is_whole else 0.5))


def test_a_peer_that_hangs_up_is_said(peer: Any) -> None:
    """A connection closed instead of an answer."""
    with speaking(b"", closes=True) as port, pytest.raises(PeerFailed, match="does not answer as DICOM does"):
        opened(peer(port))


@pytest.mark.parametrize("waits_for", ["a connection", "an answer", "nothing yet"])
def test_a_call_is_ended_from_another_thread(peer: Any, waits_for: str) -> None:
    """Whatever it waits for, for a minute: it fails at once, and none of its threads is left."""
    hangup, failures = Hangup(), list[PeerFailed]()

    def call(port: int) -> None:
        with pytest.raises(PeerFailed) as failed:
            opened(peer(port, connect_time_s=60), hangup)
        failures.append(failed.value)

    with speaking(b"") if waits_for == "an answer" else accepting_nobody() as port:
        before = connecting(port)
        if waits_for == "nothing yet":
            hangup.hang_up()
        calling = threading.Thread(target=call, args=(port,))
        calling.start()
        if waits_for == "a connection":
            assert soon(lambda: connecting(port) > before)
        elif waits_for == "an answer":
            assert soon(lambda: any(isinstance(each, DULServiceProvider) for each in threading.enumerate()))
        hangup.hang_up()
        calling.join(20)
        assert not calling.is_alive()
    assert len(failures) == 1


@pytest.mark.peer("openssl")
async def test_tls_asks_for_a_certificate_of_its_authority(peer: Any, settings: Any, tmp_path: Path) -> None:
    """Over TLS both show certificates; a peer of another authority, or under another name, is not talked to."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    own_key, own_certificate = await asyncio.to_thread(certify, tmp_path, "own")
    tls = {"port": 0, "certificate": certificate, "key": key, "client_ca": own_certificate}
    shown = {"certificate": own_certificate, "key": own_key}
    async with run_node(settings(tls=tls)) as node:
        good = peer(node.tls_port, tls={"ca": certificate, **shown})
        await asyncio.to_thread(opened, good)
        assert (await reach_peer(good, calling_ae="RADIONAV")).is_reached
        for changed, sentence in (
            ({"ca": own_certificate, **shown}, "certificate verify failed"),
            ({"ca": certificate, "server_name": "pacs.example", **shown}, "certificate verify failed"),
        ):
            bad = peer(node.tls_port, tls=changed)
            with pytest.raises(PeerFailed, match=f"no TLS: .*{sentence}"):
                await asyncio.to_thread(opened, bad)
            reached = await reach_peer(bad, calling_ae="RADIONAV")
            assert not reached.is_reached
            assert "no TLS" in reached.sentence
        with pytest.raises(PeerFailed, match="no TLS"):
            await asyncio.to_thread(opened, peer(node.port, tls={"ca": certificate}))
        missing = peer(node.tls_port, tls={"ca": tmp_path / "none.pem"})
        with pytest.raises(PeerFailed, match=r"none\.pem.*that can be read"):
            await asyncio.to_thread(opened, missing)
        assert "that can be read" in (await reach_peer(missing, calling_ae="RADIONAV")).sentence


@pytest.mark.peer("openssl")
@pytest.mark.parametrize(
    ("ciphers", "days", "sentence"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", (-1, 2), "does not answer as DICOM does"),  # so TLS was agreed upon
        ("ECDHE-RSA-AES128-SHA256", (-1, 2), "no TLS: .*handshake failure"),
        ("ECDHE-RSA-AES128-GCM-SHA256", (-3, -1), "no TLS: .*certificate has expired"),
        ("ECDHE-RSA-AES128-GCM-SHA256", (1, 2), "no TLS: .*certificate is not yet valid"),
    ],
)
def test_a_peer_is_held_to_the_profile_and_to_its_time(
    peer: Any, tmp_path: Path, ciphers: str, days: tuple[int, int], sentence: str
) -> None:
    """One without authenticated encryption (BCP 195), or whose certificate does not hold now, is told nothing."""
    authority = Authority(tmp_path / "authority")
    shown = authority.issue("pacs", days=days)
    with shaking_hands(*shown, ciphers=ciphers) as port, pytest.raises(PeerFailed, match=sentence):
        opened(peer(port, tls={"ca": authority.certificate}, connect_time_s=5))


def test_a_certificate_goes_with_its_key(peer: Any, tmp_path: Path) -> None:
    """One without the other is a fault of the site file."""
    with pytest.raises(ValueError, match="certificate and key go together"):
        peer(1, tls={"ca": tmp_path / "ca.pem", "certificate": tmp_path / "own.pem"})


def test_paths_of_a_peer_are_beside_the_site_file(peer: Any, tmp_path: Path) -> None:
    """Relative paths of its certificates are relative to the site file's folder."""
    settings = NodeSettings(
        folder=Path("studies"), peers=(peer(1, tls={"ca": "ca.pem", "certificate": "own.pem", "key": "own.key"}),)
    )
    (moved,) = settings.beside(tmp_path).peers
    assert moved.tls is not None
    assert (moved.tls.ca, moved.tls.certificate, moved.tls.key) == (
        tmp_path / "ca.pem",
        tmp_path / "own.pem",
        tmp_path / "own.key",
    )


def test_two_peers_of_one_name_are_refused(peer: Any) -> None:
    """A name names one."""
    with pytest.raises(ValueError, match="two peers are called peer"):
        NodeSettings(folder=Path("studies"), peers=(peer(1), peer(2)))


def test_a_peer_is_asked_for_nothing_unless_it_is_said(peer: Any) -> None:
    """Roles are empty by default."""
    assert Peer(name="pacs", ae_title="PACS", host="127.0.0.1").roles == frozenset()
