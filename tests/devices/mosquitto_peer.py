"""A mosquitto of the test's own, as an independent broker."""

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conftest import SYSTEM_PATH


def free_port() -> int:
    """A port that nobody listens on now: mosquitto cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """A mosquitto of our own."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        # started by root it would become another user, who may not read the test's files
        told = ["user root", f"listener {self.port} 127.0.0.1", *(lines or ("allow_anonymous true",))]
        self._file.write_text("\n".join(told))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it accepts."""
        program = shutil.which("mosquitto", path=SYSTEM_PATH)
        assert program is not None
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(self._file), stderr=asyncio.subprocess.DEVNULL
        )
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                assert self._process.returncode is None, "mosquitto does not start"
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return

    async def stop(self) -> None:
        """Stop it; it forgets what it retained."""
        if self._process is not None:
            if self._process.returncode is None:
                self.signal(signal.SIGCONT)
                self.signal(signal.SIGTERM)
            await self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, such as one that freezes it."""
        assert self._process is not None
        self._process.send_signal(number)


@asynccontextmanager
async def started(broker: Broker, *, for_at_most_s: float = 30.0) -> AsyncIterator[Broker]:
    """Have it running, and stopped afterwards."""
    try:
        async with asyncio.timeout(for_at_most_s):
            await broker.start()
            yield broker
    finally:
        await broker.stop()
