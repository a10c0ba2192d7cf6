"""Opening, reading and losing ports."""

import asyncio
import errno
import fcntl
import grp
import os
import socket
import struct
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import serial
from structlog.testing import capture_logs

from devices.clock import monotonic
from devices.errors import DeviceUnavailable
from devices.links import GREATEST_HELD, Character, check_port, open_link
from devices.port_advice import advise


@contextmanager
def pty_pair() -> Iterator[tuple[int, str]]:
    """Give our end of a pty, and the path of the other."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(theirs)
        with open(ours, closefd=True):  # noqa: PTH123 - closes it, unless the test has
            pass


@asynccontextmanager
async def listener() -> AsyncIterator[socket.socket]:
    """Listen on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.mark.parametrize(
    "port", ["/dev/ttyUSB0", "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0", "socket://10.1.2.3:4001"]
)
def test_ports_that_can_be_written(port: str) -> None:
    """Paths and socket URLs with a port number are taken as they are."""
    assert check_port(port) == port


@pytest.mark.parametrize(
    "port", ["", "COM3", "ttyUSB0", "socket://host", "socket://:4001", "loop://", "rfc2217://a:1"]
)
def test_ports_that_cannot(port: str) -> None:
    """Anything else is refused where it is written, with an example of what is meant."""
    with pytest.raises(ValueError, match="is no port: write a path such as"):
        check_port(port)


async def test_bytes_go_both_ways_on_a_pty() -> None:
    """What is written arrives, what arrives is read, stamped while it came."""
    with pty_pair() as (ours, path):
        async with asyncio.timeout(5), open_link(path, device="gamma") as link:
            await link.write(b"question")
            assert os.read(ours, 100) == b"question"
            before_s = monotonic()
            os.write(ours, b"answer")
            chunk = await link.read()
            assert chunk.received == b"answer"
            assert before_s <= chunk.arrived_at_s <= monotonic()


async def test_a_chunk_is_stamped_when_it_comes_not_when_it_is_read() -> None:
    """A driver that is late to read still learns when the bytes came."""
    ticks = iter(range(100))
    is_stamped = asyncio.Event()

    def clock() -> float:
        is_stamped.set()
        return float(next(ticks))

    with pty_pair() as (ours, path):
        async with asyncio.timeout(5), open_link(path, device="gamma", clock=clock) as link:
            for message in (b"first", b"second"):
                os.write(ours, message)
                await is_stamped.wait()
                is_stamped.clear()
            first, second = await link.read(), await link.read()
    assert (first.received, first.arrived_at_s) == (b"first", 0.0)
    assert (second.received, second.arrived_at_s) == (b"second", 1.0)


async def test_an_unplugged_pty_is_unavailable() -> None:
    """When the other end goes, a waiting read says so in words that name the port."""
    ours, theirs = os.openpty()
    path = os.ttyname(theirs)
    async with asyncio.timeout(5), open_link(path, device="gamma") as link:
        os.close(ours)
        os.close(theirs)
        with pytest.raises(DeviceUnavailable, match=f"gamma: {path} is gone .*check the cable"):
            await link.read()
        with pytest.raises(DeviceUnavailable):
            await link.write(b"anybody?")


@pytest.mark.parametrize("is_abrupt", [False, True])
async def test_a_socket_that_ends_is_unavailable(*, is_abrupt: bool) -> None:
    """By FIN or by RST: what came before is still read, then the link is lost, and no descriptor is left."""
    async with asyncio.timeout(5), listener() as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        async with open_link(url, device="gamma") as link:
            peer, _ = await asyncio.get_running_loop().sock_accept(server)
            peer.sendall(b"last words")
            assert (await link.read()).received == b"last words"
            if is_abrupt:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            with pytest.raises(DeviceUnavailable, match="is gone"):
                await link.read()


async def test_nobody_listens() -> None:
    """A refused connection asks whether the serial server is on."""
    async with listener() as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(DeviceUnavailable, match=r"nobody listens at .* is the serial server on"):
        async with open_link(url, device="gamma"):
            pass


@pytest.mark.parametrize(("module", "step"), [(termios, "tcgetattr"), (fcntl, "ioctl")])
async def test_a_port_pulled_while_it_is_opened_is_unavailable(
    module: ModuleType, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pty that goes between two steps of its configuration is no port any more, and no descriptor is left.

    After the one step pyserial's tcsetattr fails, after the other its tcflush: with termios.error, no OSError.
    """
    ours, theirs = os.openpty()
    path = os.ttyname(theirs)
    configure = getattr(module, step)

    def configure_and_pull(*arguments: Any) -> Any:
        try:
            return configure(*arguments)
        finally:
            os.close(ours)
            os.close(theirs)

    monkeypatch.setattr(module, step, configure_and_pull)
    with pytest.raises(DeviceUnavailable, match=f"there is no port {path}: plug the instrument in") as refusal:
        async with open_link(path, device="gamma"):
            pass
    assert isinstance(refusal.value.__cause__, termios.error)


async def test_a_port_that_does_not_close_in_order_is_let_go() -> None:
    """When the descriptor is gone already, leaving the link says so in the log and raises nothing."""
    async with asyncio.timeout(5), listener() as server:
        with capture_logs() as said:
            async with open_link(f"socket://127.0.0.1:{server.getsockname()[1]}", device="gamma") as link:
                os.close(link._descriptor)
    assert [line["event"] for line in said] == ["port did not close in order"]


async def test_a_missing_port_says_which_there_are() -> None:
    """A port that is not there says to plug the instrument in, and what is there."""
    with pytest.raises(DeviceUnavailable, match=r"there is no port /dev/ttyNONE7: plug .* \(ports here now: "):
        async with open_link("/dev/ttyNONE7", device="gamma"):
            pass


async def test_a_port_in_use_names_how_to_find_the_user() -> None:
    """A port that another program holds says so."""
    with pty_pair() as (_, path):
        other = os.open(path, os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with pytest.raises(DeviceUnavailable, match=r"is in use: stop the other program \(`fuser -v"):
                async with open_link(path, device="gamma"):
                    pass
        finally:
            os.close(other)


def test_a_forbidden_port_names_its_group() -> None:
    """A port that this user may not open names the group to join."""
    refusal = serial.SerialException(errno.EACCES, "could not open port")
    with pty_pair() as (_, path):
        group = grp.getgrgid(Path(path).stat().st_gid).gr_name
        assert advise(path, refusal) == (
            f"not allowed to open {path}: add this user to its group ({group}) and log in again"
        )


async def test_a_file_is_no_port(tmp_path: Path) -> None:
    """A path to something that is no serial port is refused as such."""
    path = tmp_path / "notes.txt"
    path.write_text("not a port")
    with pytest.raises(DeviceUnavailable, match="cannot be opened as a serial port"):
        async with open_link(str(path), device="gamma"):
            pass


async def test_a_cancelled_opening_leaves_nothing_open() -> None:
    """When the port opens after its caller has gone, it is closed again."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            server.settimeout(0)
            # fill the backlog, so that the next connection waits
            fillers = [socket.socket() for _ in range(2)]
            for filler in fillers:
                filler.settimeout(0)
                filler.connect_ex(server.getsockname())
            url = f"socket://127.0.0.1:{server.getsockname()[1]}"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(open_link(url, device="gamma").__aenter__(), 0.05)
            known = {filler.getsockname() for filler in fillers}
            for filler in fillers:
                filler.close()
            address = next(iter(known))
            while address in known:
                peer, address = await loop.sock_accept(server)
                with peer:
                    assert await loop.sock_recv(peer, 1) == b""


async def test_a_driver_that_does_not_read_stops_the_flow_and_loses_nothing() -> None:
    """Beyond a bound the link stops reading; when the driver reads again, every byte comes, in order."""
    sent = bytes(range(256)) * (GREATEST_HELD // 256 + 8192)
    received = bytearray()
    loop = asyncio.get_running_loop()
    async with (
        asyncio.timeout(20),
        listener() as server,
        open_link(f"socket://127.0.0.1:{server.getsockname()[1]}", device="gamma") as link,
    ):
        peer, _ = await loop.sock_accept(server)
        with peer:
            sending = asyncio.create_task(loop.sock_sendall(peer, sent))
            while link._held <= GREATEST_HELD:  # noqa: ASYNC110 - nothing tells that a buffer is full
                await asyncio.sleep(0)
            while len(received) < len(sent):
                assert link._held <= GREATEST_HELD + 65536
                received += (await link.read()).received
            await sending
    assert received == sent


async def test_small_chunks_that_are_held_let_no_flood_of_large_ones_in() -> None:
    """Room is what was read, not the number of chunks: each may be a few bytes, and the next one 64 KiB."""
    loop = asyncio.get_running_loop()
    async with (
        asyncio.timeout(60),
        listener() as server,
        open_link(f"socket://127.0.0.1:{server.getsockname()[1]}", device="gamma") as link,
    ):
        peer, _ = await loop.sock_accept(server)
        with peer:
            while (held := link._held) <= GREATEST_HELD:
                await loop.sock_sendall(peer, bytes(8192))
                await until(lambda held=held: link._held > held)  # type: ignore[misc]  # of a default's type
            flooding = asyncio.create_task(loop.sock_sendall(peer, bytes(1 << 22)))
            for _ in range(40):
                await link.read()
                for _ in range(3):
                    await asyncio.sleep(0)
                assert link._held <= GREATEST_HELD + 65536
            flooding.cancel()
            await asyncio.wait({flooding})


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    while not holds():  # noqa: ASYNC110 - what a link holds is known by looking
        await asyncio.sleep(0)


async def test_what_has_come_can_be_forgotten() -> None:
    """Bytes that came before a question are not its answer; those that come after are read as ever."""
    with pty_pair() as (ours, path):
        async with asyncio.timeout(30), open_link(path, device="camera") as link:
            os.write(ours, b"late answer")
            await until(lambda: link._held > 0)
            link.discard()
            os.write(ours, b"answer")
            assert (await link.read()).received == b"answer"


async def test_a_full_link_that_forgets_reads_on() -> None:
    """What was held up because nobody read comes once it is forgotten."""
    async with asyncio.timeout(60), listener() as server:
        port = server.getsockname()[1]
        async with open_link(f"socket://127.0.0.1:{port}", device="camera") as link:
            sender, _ = server.accept()
            with sender:
                flood = bytes(GREATEST_HELD + 65536) + b"x"
                sent = asyncio.ensure_future(asyncio.to_thread(sender.sendall, flood))
                await until(lambda: link._held > GREATEST_HELD)
                link.discard()
                received = b""
                while not received.endswith(b"x"):
                    received = (await link.read()).received
                await sent


@pytest.mark.parametrize("character", ["8N1", "7E1", "7E2"])
async def test_a_pty_is_opened_again_whatever_its_character(character: Character, tmp_path: Path) -> None:
    """An instrument of seven bits behind one that stays, as a serial server's, is there at each opening."""
    with pty_pair() as (ours, path):
        (tmp_path / "probe").symlink_to(path)
        for sent in (b"first", b"second"):
            port = str(tmp_path / "probe")
            async with open_link(port, device="gamma", baud_rate=9600, character=character) as link:
                os.write(ours, sent)
                assert (await link.read()).received == sent


@pytest.mark.parametrize("has_handshake", [False, True])
async def test_rts_and_cts_are_heeded_where_that_is_asked_for(*, has_handshake: bool) -> None:
    """The terminal is set so that the other end says when it may be sent to, or not."""
    with pty_pair() as (ours, path):
        async with open_link(path, device="gamma", has_handshake=has_handshake):
            assert bool(termios.tcgetattr(ours)[2] & termios.CRTSCTS) == has_handshake


async def test_a_port_changes_its_speed() -> None:
    """The speed is that of the terminal afterwards; one that no port has is refused with the key to change."""
    with pty_pair() as (_, path):
        async with asyncio.timeout(30), open_link(path, device="camera") as link:
            await link.set_baud_rate(115200)
            assert termios.tcgetattr(link._descriptor)[4:6] == [termios.B115200, termios.B115200]
            await link.send_break()  # a pty takes no notice
            with pytest.raises(DeviceUnavailable, match=r"cannot do -1 bits a second.*another baud_rate"):
                await link.set_baud_rate(-1)
