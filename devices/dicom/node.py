"""The storage node's process: ``python -m devices.dicom.node``.

Reads its settings as one line of JSON on standard input and writes messages as lines of JSON on standard output
(``devices.dicom.messages``). Ends when standard input closes, or on SIGTERM. A process of its own, so that a
study of 2,000 slices never delays the tone.
"""

import asyncio
import errno
import os
import random
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from typing import Any

import structlog
from pydantic import ValidationError

from devices.clock import Clock, monotonic
from devices.dicom.account import Account
from devices.dicom.audit import AuditTrail
from devices.dicom.completion import StudyLedger
from devices.dicom.door import WAITING_CONNECTIONS, Admission, Door, listen
from devices.dicom.messages import (
    Conflict,
    Failed,
    Figures,
    Impaired,
    Listening,
    Need,
    NodeMessage,
    Refused,
    Workers,
    to_line,
)
from devices.dicom.services.desk import CommitmentDesk
from devices.dicom.services.events import Arrival, Cause, Disclosure, Ending, Event, Listing, Refusal
from devices.dicom.services.provider import Provider
from devices.dicom.services.session import Session
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.placement import Kept, StoredObject
from devices.dicom.storage.space import SpaceWatch
from devices.dicom.storage.store import ObjectStore
from devices.dicom.tls import server_context
from devices.dicom.web.process import WebProcess
from devices.dicom.workers.crew import Crew
from devices.dicom.workers.foreman import Foreman

FIGURES_INTERVAL_S = 1.0

DISK_THREADS = 8
"""Objects that are being made durable at a time: an association waits for its own only."""


def emit(message: NodeMessage) -> None:
    """Write one message on standard output."""
    sys.stdout.buffer.write(to_line(message))
    sys.stdout.buffer.flush()


class _Reporter:
    """Turns what happened into messages for the service."""

    def __init__(
        self,
        settings: NodeSettings,
        audit: AuditTrail,
        *,
        note: Callable[[StoredObject], None],
        space: SpaceWatch,
        clock: Clock,
    ) -> None:
        self._audit = audit
        self._index = note
        self._space = space
        self._ledger = StudyLedger(quiet_s=settings.quiet_s)
        self._clock = clock
        self._changed = asyncio.Event()
        self.account = Account()

    def announce(self, store: ObjectStore) -> None:
        for study in store.studies():
            emit(self._ledger.found(study))

    def take(self, happened: Event) -> None:
        self.account.take(happened)
        match happened:
            case Refusal():
                self._space.look()
                self._audit.refused(happened.calling_ae, happened.address, happened.reason)
                emit(Refused(calling_ae=happened.calling_ae, address=happened.address, reason=happened.reason))
            case Disclosure():
                self._audit.disclosed(
                    happened.calling_ae, happened.address, happened.studies, is_query=happened.is_query
                )
            case Ending():
                self._ledger.ended(happened.session, was_released=happened.was_released, now_s=self._clock())
                self._audit.transferred(
                    happened.calling_ae,
                    happened.address,
                    happened.acknowledged,
                    was_released=happened.was_released,
                )
                self._changed.set()
            case Listing():
                self._ledger.listed(happened.object_uids)
                self._changed.set()
            case Arrival() if happened.stored.kept is not Kept.REJECTED:
                self._note(happened)
                if (due_s := self._ledger.next_due_s) is not None and due_s <= self._clock():
                    self._changed.set()

    def _note(self, arrival: Arrival) -> None:
        stored = arrival.stored
        self._index(stored)
        is_conflict = stored.kept in {Kept.CONFLICT, Kept.REPLACED}
        self._ledger.stored(
            stored.study_uid,
            str(stored.path.with_name(f"{arrival.object_uid}.dcm")),
            sender=arrival.session,
            calling_ae=arrival.calling_ae,
            now_s=self._clock(),
            object_uid=arrival.object_uid,
            is_conflict=is_conflict,
        )
        if is_conflict:
            self._audit.conflicting(
                arrival.calling_ae,
                arrival.address,
                stored.study_uid,
                arrival.object_uid,
                is_replaced=stored.kept is Kept.REPLACED,
            )
            emit(
                Conflict(
                    study_uid=stored.study_uid,
                    object_uid=arrival.object_uid,
                    calling_ae=arrival.calling_ae,
                    path=str(stored.path),
                    kept=stored.kept,
                )
            )

    async def run(self) -> None:
        while True:
            self._changed.clear()
            for study in self._ledger.due(self._clock()):
                emit(study)
            due_s = self._ledger.next_due_s
            wait_s = None if due_s is None else max(0.0, due_s - self._clock())
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue


def _plain(settings: NodeSettings, exc: OSError) -> str:
    place = exc.filename or f"{settings.host}:{settings.port}"
    if exc.errno == errno.EADDRINUSE:
        return f"port {place} is in use by another program: end it, or give the node another port"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"{place} is no address of this machine: give the node's host as one of its own"
    if exc.errno == errno.EACCES:
        return f"no permission for {place}: ports below 1024 and foreign folders need one"
    return str(exc)


def _admission(
    settings: NodeSettings, provider: Provider, reporter: _Reporter, disk: ThreadPoolExecutor
) -> Admission:
    return Admission(
        is_expected_from=settings.is_expected_from,
        connections=settings.maximum_associations + WAITING_CONNECTIONS,
        timing=settings.timing,
        disk=disk,
        make_user=lambda address: Session(provider, address),
        report=lambda address, reason: reporter.take(
            Refusal(cause=Cause.CONNECTION, calling_ae="", address=address, reason=reason)
        ),
    )


@asynccontextmanager
async def _disk() -> AsyncIterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(DISK_THREADS, "dicom disk")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def serve(
    settings: NodeSettings, stop: asyncio.Event, foreman: Foreman, *, clock: Clock = monotonic
) -> None:
    """Serve until ``stop`` is set.

    Raises
    ------
    OSError
        Where the folder or the port cannot be had.

    """
    # after the workers' process is forked: they need none of it, and would have its memory
    from devices.dicom.index.answering import Answering  # noqa: PLC0415
    from devices.dicom.index.registrar import Registrar  # noqa: PLC0415

    with ObjectStore.open(settings.folder, free_floor_mb=settings.free_floor_mb) as store:
        audit = AuditTrail(settings.folder, ae_title=settings.ae_title)
        registrar = Registrar(
            settings.folder,
            settings.index,
            audit=audit,
            tell=lambda reason: emit(Impaired(what=Need.INDEX, reason=reason)),
        )
        space = SpaceWatch(store, tell=lambda reason: emit(Impaired(what=Need.DISK, reason=reason)))
        reporter = _Reporter(settings, audit, note=registrar.note, space=space, clock=clock)
        async with _disk() as disk:
            provider = Provider(settings=settings, store=store, notify=reporter.take)
            provider.lookup = Answering(settings.folder, settings.index)
            desk = CommitmentDesk(provider, settings.folder, disk=disk, timing=settings.timing, clock=clock)
            crew = Crew(
                foreman,
                size=settings.workers,
                notify=reporter.take,
                short_of=_tell_missing,
                clock=clock,
            )
            provider.desk, provider.crew = desk, crew
            door = Door(_admission(settings, provider, reporter, disk), clock=clock)
            with ExitStack() as listeners:
                plain = listeners.enter_context(closing(listen(settings.host, settings.port)))
                host, port = plain.getsockname()[:2]
                jobs: dict[str, Coroutine[Any, Any, object]] = {
                    "stop": stop.wait(),
                    "reports": reporter.run(),
                    "index": registrar.run(),
                    "space": space.run(),
                    "figures": _tell_figures(
                        lambda: reporter.account.figures(
                            associations_open=len(provider.sessions),
                            free_bytes=store.free_bytes,
                            index_waiting=registrar.waiting,
                            commitments_waiting=desk.waiting,
                        )
                    ),
                    "commitments": desk.run(),
                    "door": door.serve(plain),
                }
                tls_port = None
                if settings.peers:
                    # its imports take 25 MB, which a node without peers does without
                    from devices.dicom.clients.dispatch import Dispatch  # noqa: PLC0415

                    jobs["dispatch"] = Dispatch(settings, audit=audit, clock=clock, jitter=random.random).run()
                if settings.tls is not None:
                    secured = listeners.enter_context(closing(listen(settings.host, settings.tls.port)))
                    tls_port = secured.getsockname()[1]
                    jobs["TLS door"] = door.serve(secured, tls=server_context(settings.tls))
                web_port = None
                if settings.web is not None:
                    web = listeners.enter_context(closing(listen(settings.web.host, settings.web.port)))
                    web_port = web.getsockname()[1]
                    web_process = WebProcess(
                        settings,
                        web,
                        notify=reporter.take,
                        numbers=provider.numbers,
                        tell=lambda reason: emit(Impaired(what=Need.WEB, reason=reason)),
                        clock=clock,
                    )
                    jobs["DICOMweb"] = web_process.run(settings.web)
                crew.start()
                emit(Listening(host=host, port=port, tls_port=tls_port, web_port=web_port))
                audit.started()
                reporter.announce(store)
                try:
                    await _first_of(jobs)
                finally:
                    crew.close()
                    await registrar.close()
                    audit.stopped()


def _tell_missing(missing: int, reason: str) -> None:
    # that the node listens is told first
    asyncio.get_running_loop().call_soon(emit, Workers(missing=missing, reason=reason))


async def _tell_figures(measure: Callable[[], Figures]) -> None:
    told: Figures | None = None
    while True:
        with suppress(OSError):  # of a folder that is gone the space watch tells
            figures = measure()
            if figures != told:
                emit(figures)
                told = figures
        await asyncio.sleep(FIGURES_INTERVAL_S)


async def _first_of(jobs: Mapping[str, Coroutine[Any, Any, object]]) -> None:
    """Run jobs until one ends, and end the others; what it raised is raised."""
    tasks = [asyncio.create_task(job, name=f"dicom {name}") for name, job in jobs.items()]
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


async def _run(settings: NodeSettings, foreman: Foreman) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    closing_input = asyncio.create_task(_until_closed(reader, stop), name="standard input")
    try:
        await serve(settings, stop, foreman)
    except BrokenPipeError:
        return 0  # nobody listens any more: the service is gone
    except OSError as exc:
        emit(Failed(reason=_plain(settings, exc)))
        return 1
    finally:
        closing_input.cancel()
    return 0


async def _until_closed(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    while await reader.read(65536):
        pass
    stop.set()


def _start() -> int:
    # unbuffered, and before there is an event loop: what forks the workers is forked in between
    line = b""
    while not line.endswith(b"\n") and (read := os.read(sys.stdin.fileno(), 65536)):
        line += read
    try:
        settings = NodeSettings.model_validate_json(line)
    except ValidationError as exc:
        emit(Failed(reason=f"the settings on standard input are not the node's: {exc}"))
        return 2
    return asyncio.run(_run(settings, Foreman.hire(settings)))


def main() -> None:
    """Run the node and end the process."""
    code = 1
    # standard output is for messages
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        code = _start()
    except Exception:  # noqa: BLE001 - the process ends here, saying why
        traceback.print_exc()
    # a disk that does not answer holds its thread; every acknowledged object is on the disk, and a half-written
    # one is removed at the next start
    os._exit(code)


if __name__ == "__main__":
    main()
