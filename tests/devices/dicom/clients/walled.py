"""A server that binds every address, behind a wall: in a network namespace of its own, reached by loopback alone.

DCMTK's servers cannot be told an address. Inside the namespace there is only ``lo``; sockets of the file system
lead in and out.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from devices.dicom.echo import echo
from devices.errors import DeviceUnavailable

INSIDE = 11112
"""The server's port, where nobody else is."""

OUTSIDE = 11113
"""Inside the namespace: the port that leads to our node."""

ENTER = ("unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net")

READY_S = 30.0

Dial: TypeAlias = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class _Bridge:
    """Carries connections on to somewhere else."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            there = await self._dial()
            await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))
        except OSError:
            pass
        finally:
            writer.close()
            self._open.discard(task)

    async def close(self) -> None:
        """Return when every connection has ended."""
        await asyncio.gather(*self._open, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def walled(
    *command: object,
    folder: Path,
    title: str,
    node_port: int | None = None,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[int]:
    """Run a server that listens on ``INSIDE``; gives the port on loopback that leads to it.

    Inside, ``OUTSIDE`` leads to ``node_port``.
    """
    within, without = folder / "in.sock", folder / "out.sock"
    paths = (
        "ip link set lo up",
        f"socat UNIX-LISTEN:{within},fork TCP:127.0.0.1:{INSIDE} & ",
        f"socat TCP-LISTEN:{OUTSIDE},bind=127.0.0.1,reuseaddr,fork UNIX-CONNECT:{without} & ",
    )
    script = f'{paths[0]} && {{ {paths[1]} {paths[2]} exec "$@" ; }}'
    process = await asyncio.create_subprocess_exec(
        *(*ENTER, "sh", "-c", script, "sh", *map(str, command)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        process_group=0,
        env=os.environ | {"TCP_NODELAY": "1"} | (environment or {}),
    )
    inward = _Bridge(lambda: asyncio.open_unix_connection(within))
    outward = _Bridge(lambda: asyncio.open_connection("127.0.0.1", node_port))
    entrance = await asyncio.start_server(inward.serve, "127.0.0.1", 0)
    exit_ = await asyncio.start_unix_server(outward.serve, without)
    port = entrance.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(READY_S):
            while not await _is_ready(port, title):
                assert process.returncode is None, f"{command[0]} does not start"
                await asyncio.sleep(0.02)
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        for server in (entrance, exit_):
            server.close()
        for bridge in (inward, outward):
            await bridge.close()
        within.unlink(missing_ok=True)
        without.unlink(missing_ok=True)


async def _is_ready(port: int, title: str) -> bool:
    try:
        await echo("127.0.0.1", port, called_ae=title, calling_ae="RADIONAV")
    except DeviceUnavailable as exc:
        return "as DICOM does" not in str(exc)  # a refusal is an answer
    return True
