"""The storage node's process: ``python -m devices.dicom.node``.

Reads its settings as one line of JSON on standard input and writes messages as lines of JSON on standard output
(``devices.dicom.messages``). Ends when standard input closes, or on SIGTERM. A process of its own, so that a
study of 2,000 slices never delays the tone.
"""

import asyncio
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from pynetdicom.association import Association

from devices.clock import monotonic
from devices.dicom.completion import StudyLedger
from devices.dicom.messages import Failed, Listening, NodeMessage, Refused, Stored, to_line
from devices.dicom.scp import Arrival, Refusal, StorageProvider
from devices.dicom.settings import NodeSettings
from devices.dicom.store import ObjectStore

ENDED_CHECK_S = 0.1
"""How often associations that have sent something are looked at for having ended."""


def emit(message: NodeMessage) -> None:
    """Write one message on standard output."""
    sys.stdout.buffer.write(to_line(message))
    sys.stdout.buffer.flush()


class _Reporter:
    """Turns what happened on pynetdicom's threads into messages, on the event loop."""

    def __init__(self, settings: NodeSettings) -> None:
        self._ledger = StudyLedger(quiet_s=settings.quiet_s)
        self._happened: asyncio.Queue[Arrival | Refusal] = asyncio.Queue()
        self._associations: dict[int, Association] = {}

    def announce(self, store: ObjectStore) -> None:
        for study in store.studies():
            emit(self._ledger.found(study))

    def notify_from(self, loop: asyncio.AbstractEventLoop, happened: Arrival | Refusal) -> None:
        loop.call_soon_threadsafe(self._happened.put_nowait, happened)

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._wait_s()):
                    self._take(await self._happened.get())
            except TimeoutError:
                self._look_for_ended()
            for study in self._ledger.due(monotonic()):
                emit(study)

    def _wait_s(self) -> float | None:
        if self._ledger.senders:
            return ENDED_CHECK_S
        due_s = self._ledger.next_due_s
        return None if due_s is None else max(0.0, due_s - monotonic())

    def _take(self, happened: Arrival | Refusal) -> None:
        if isinstance(happened, Refusal):
            emit(Refused(calling_ae=happened.calling_ae, address=happened.address, reason=happened.reason))
            return
        sender, path = id(happened.association), str(happened.stored.path)
        self._associations[sender] = happened.association
        self._ledger.stored(
            happened.study_uid, path, sender=sender, calling_ae=happened.calling_ae, now_s=monotonic()
        )
        emit(
            Stored(
                study_uid=happened.study_uid,
                object_uid=happened.object_uid,
                calling_ae=happened.calling_ae,
                path=path,
                kept=happened.stored.kept,
            )
        )

    def _look_for_ended(self) -> None:
        # a thread that has ended is the one sign that no way of losing a connection escapes
        for sender, association in list(self._associations.items()):
            if not association.is_alive():
                self._ledger.ended(sender, was_released=association.is_released, now_s=monotonic())
                del self._associations[sender]


def _plain(settings: NodeSettings, exc: OSError) -> str:
    place = f"{settings.host}:{settings.port}"
    if exc.errno == errno.EADDRINUSE:
        return f"port {place} is in use by another program: end it, or give the node another port"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"{settings.host} is no address of this machine: give the node's host as one of its own"
    if exc.errno == errno.EACCES:
        return f"no permission for {exc.filename or place}: ports below 1024 and foreign folders need one"
    return str(exc)


@contextmanager
def _serving(provider: StorageProvider) -> Iterator[tuple[str, int]]:
    server = provider.listen()
    accepting = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="dicom accept", daemon=True
    )
    accepting.start()
    try:
        yield str(server.server_address[0]), int(server.server_address[1])
    finally:
        server.shutdown()


async def serve(settings: NodeSettings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set.

    Raises
    ------
    OSError
        Where the folder or the port cannot be had.

    """
    loop = asyncio.get_running_loop()
    reporter = _Reporter(settings)
    with ObjectStore.open(settings.folder, free_floor_mb=settings.free_floor_mb) as store:
        provider = StorageProvider(settings, store, lambda happened: reporter.notify_from(loop, happened))
        threading.excepthook = provider.report_crash
        with _serving(provider) as (host, port):
            emit(Listening(host=host, port=port))
            reporter.announce(store)
            running = asyncio.create_task(reporter.run(), name="dicom reports")
            stopping = asyncio.create_task(stop.wait(), name="dicom stop")
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            running.cancel()
            if not stop.is_set():
                await running


async def _main() -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        settings = NodeSettings.model_validate_json(await reader.readline())
    except ValidationError as exc:
        emit(Failed(reason=f"the settings on standard input are not the node's: {exc}"))
        return 2
    closing = asyncio.create_task(_until_closed(reader, stop), name="standard input")
    try:
        await serve(settings, stop)
    except BrokenPipeError:
        return 0  # nobody listens any more: the service is gone
    except OSError as exc:
        emit(Failed(reason=_plain(settings, exc)))
        return 1
    finally:
        closing.cancel()
    return 0


async def _until_closed(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    while await reader.read(65536):
        pass
    stop.set()


def main() -> None:
    """Run the node and end the process."""
    code = 1
    try:
        code = asyncio.run(_main())
    except Exception:  # noqa: BLE001 - the process ends here, saying why
        traceback.print_exc()
    # pynetdicom's threads are not daemons and would hold the process open for a peer that stays; every
    # acknowledged object is on the disk, and a half-written one is removed at the next start
    os._exit(code)


if __name__ == "__main__":
    main()
