"""Simulated ports: links that last, plugs that can be pulled, and faults that do what they say."""

import asyncio
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from simulators.faults import (
    Fault,
    corrupting,
    delayed,
    dropping,
    duplicating,
    intact,
    losing,
    one_byte_at_a_time,
)
from simulators.ports import open_pty_port, open_tcp_port


class Echo:
    """Sends back what it is sent."""

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - an echo keeps no time
        """Give it back."""
        return sent

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - an echo keeps no time
        """Send nothing unasked."""
        return b""


class Broken(Echo):
    """Fails when it should speak."""

    def tick(self, now_s: float) -> bytes:
        """Fail."""
        raise ZeroDivisionError(f"at {now_s}")


async def exchange(path: str, sent: bytes) -> bytes:
    """Write to a pty and wait for as many bytes."""
    loop = asyncio.get_running_loop()
    end = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    received = bytearray()
    is_whole = asyncio.Event()

    def read() -> None:
        received.extend(os.read(end, 4096))
        if len(received) >= len(sent):
            is_whole.set()

    loop.add_reader(end, read)
    try:
        os.write(end, sent)
        await is_whole.wait()
    finally:
        loop.remove_reader(end)
        os.close(end)
    return bytes(received)


async def test_the_link_lasts_while_ptys_change(tmp_path: Path) -> None:
    """Unplugged, the link is gone; plugged in again, it is there and leads to an instrument."""
    link = tmp_path / "by-id" / "gamma"
    async with asyncio.timeout(5), open_pty_port(Echo(), link) as port:
        assert port.url == str(link)
        assert await exchange(port.url, b"hello") == b"hello"
        port.pull()
        assert not link.is_symlink()
        port.pull()
        await port.unplug(0.0)
        assert await exchange(port.url, b"again") == b"again"
    assert not link.is_symlink()


async def test_every_byte_passes_a_pty_unchanged(tmp_path: Path) -> None:
    """No byte is a line end or a control character to the pty."""
    every = bytes(range(256))
    async with asyncio.timeout(5), open_pty_port(Echo(), tmp_path / "gamma") as port:
        assert await exchange(port.url, every) == every


async def test_a_pty_that_nobody_reads_does_not_stop_the_instrument(tmp_path: Path) -> None:
    """What is sent while nobody reads is lost, as on a wire; who reads later hears it speak on."""

    class Talker(Echo):
        number = 0

        def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it keeps no time
            """Say its next number, many times; a pty keeps fewer than 40 such."""
            self.number = min(self.number + 1, 255)
            if self.number == 100:
                has_said_much.set()
            return bytes([self.number]) * 4096

    has_said_much, is_heard, heard = asyncio.Event(), asyncio.Event(), set[int]()
    async with asyncio.timeout(5), open_pty_port(Talker(), tmp_path / "gamma", tick_s=0.001) as port:
        await has_said_much.wait()
        end = os.open(port.url, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)

        def read() -> None:
            heard.update(os.read(end, 4096))
            if max(heard) > 110:
                is_heard.set()

        asyncio.get_running_loop().add_reader(end, read)
        try:
            await is_heard.wait()
        finally:
            asyncio.get_running_loop().remove_reader(end)
            os.close(end)
    assert heard.isdisjoint(range(40, 90))


async def test_a_tcp_port_serves_one_client_and_keeps_its_number() -> None:
    """A second client is turned away; after unplugging the number is the same."""
    async with asyncio.timeout(5), open_tcp_port(Echo()) as port:
        number = int(port.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        second, second_writer = await asyncio.open_connection("127.0.0.1", number)
        assert await second.read() == b""
        second_writer.close()
        await port.pull()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", number)
        await port.plug()
        assert int(port.url.rpartition(":")[2]) == number
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        await port.pull(is_abrupt=True)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_an_instrument_that_fails_is_no_secret(tmp_path: Path) -> None:
    """A fault in the simulated instrument itself comes out of the port that hosts it."""
    with pytest.raises(ZeroDivisionError):
        async with open_pty_port(Broken(), tmp_path / "gamma"):
            await asyncio.sleep(0)


MESSAGE = bytes(range(200))


def carried(fault: Fault) -> bytes:
    """Give all bytes that a fault lets through."""
    return b"".join(piece for _, piece in fault(MESSAGE))


def test_harmless_faults_carry_everything() -> None:
    """Whole, in single bytes or late: the same bytes arrive."""
    assert carried(intact) == carried(one_byte_at_a_time) == carried(delayed(1.0)) == MESSAGE
    assert [len(piece) for _, piece in one_byte_at_a_time(MESSAGE)] == [1] * 200
    assert [delay_s for delay_s, _ in delayed(1.0)(MESSAGE)] == [1.0]


def test_dropping_loses_its_share() -> None:
    """About a tenth of the bytes is gone and the rest is in order."""
    kept = carried(dropping(0.1, np.random.default_rng(1)))
    assert 160 <= len(kept) < 200
    assert list(kept) == sorted(kept)


def test_corrupting_flips_single_bits() -> None:
    """About a tenth of the bytes differs, each by one bit."""
    changed = carried(corrupting(0.1, np.random.default_rng(1)))
    differences = [(before ^ after).bit_count() for before, after in zip(MESSAGE, changed, strict=True)]
    assert set(differences) == {0, 1}
    assert 5 <= sum(differences) <= 40


def test_duplicating_and_losing_take_whole_messages() -> None:
    """A message is there once, twice or not at all, never in part."""
    assert carried(duplicating(1.0, np.random.default_rng(1))) == MESSAGE * 2
    assert carried(duplicating(0.0, np.random.default_rng(1))) == MESSAGE
    fault = losing([True, False])
    assert [carried(fault) for _ in range(3)] == [b"", MESSAGE, MESSAGE]


async def test_an_abrupt_end_reaches_a_plain_socket() -> None:
    """Without anything of ours on the other end the reset is a reset."""
    async with asyncio.timeout(5), open_tcp_port(Echo()) as port:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.settimeout(0)
            await loop.sock_connect(client, ("127.0.0.1", int(port.url.rpartition(":")[2])))
            await loop.sock_sendall(client, b"x")
            assert await loop.sock_recv(client, 1) == b"x"
            await port.pull(is_abrupt=True)
            with pytest.raises(ConnectionResetError):
                await loop.sock_recv(client, 1)
