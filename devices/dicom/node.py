"""The storage node's process: ``python -m devices.dicom``.

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
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from devices.clock import Clock, monotonic
from devices.dicom.audit.trail import AuditTrail
from devices.dicom.child import read_line
from devices.dicom.clients.dispatch import Dispatch
from devices.dicom.door import WAITING_CONNECTIONS, Admission, Door, listen
from devices.dicom.messages import (
    Failed,
    Figures,
    Impaired,
    Listening,
    Need,
    Workers,
)
from devices.dicom.reporter import Reporter, emit
from devices.dicom.services.desk import CommitmentDesk
from devices.dicom.services.events import Cause, Refusal
from devices.dicom.services.provider import Provider
from devices.dicom.services.session import Session
from devices.dicom.services.transfers import make_up
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.space import SpaceWatch
from devices.dicom.storage.store import ObjectStore
from devices.dicom.tls import server_context
from devices.dicom.web.process import WebProcess
from devices.dicom.workers.crew import Crew
from devices.dicom.workers.foreman import Foreman
from devices.stderr_log import log_to_stderr

FIGURES_INTERVAL_S = 1.0

DISK_THREADS = 8
"""Objects that are being made durable at a time: an association waits for its own only."""


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
    settings: NodeSettings, provider: Provider, reporter: Reporter, disk: ThreadPoolExecutor
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
        make_up(settings.folder, audit)
        registrar = Registrar(
            settings.folder,
            settings.index,
            audit=audit,
            tell=lambda reason: emit(Impaired(what=Need.INDEX, reason=reason)),
            notify=lambda twin: reporter.take(twin),  # noqa: PLW0108 - it is made below
        )
        space = SpaceWatch(store, tell=lambda reason: reporter.impaired(Need.DISK, reason))
        reporter = Reporter(settings, audit, store, note=registrar.note, space=space, clock=clock)
        async with _disk() as disk:
            provider = Provider(settings=settings, store=store, notify=reporter.take)
            provider.lookup = Answering(settings.folder, settings.index)
            desk = CommitmentDesk(provider, settings.folder, disk=disk, timing=settings.timing, clock=clock)
            crew = Crew(
                foreman,
                size=settings.crew_size,
                notify=reporter.take,
                short_of=_tell_missing,
                clock=clock,
            )
            provider.desk, provider.crew = desk, crew
            door = Door(_admission(settings, provider, reporter, disk), clock=clock)
            dispatch = None
            if settings.peers:
                dispatch = Dispatch(
                    settings,
                    tell=lambda reason: emit(Impaired(what=Need.OUTBOX, reason=reason)),
                    clock=clock,
                    jitter=random.random,
                )
            with ExitStack() as listeners:
                plain = listeners.enter_context(closing(listen(settings.host, settings.port)))
                host, port = plain.getsockname()[:2]
                jobs: dict[str, Coroutine[Any, Any, object]] = {
                    "stop": stop.wait(),
                    "reports": reporter.run(),
                    "refusals": reporter.refusals.run(),
                    "index": registrar.run(),
                    "space": space.run(),
                    "figures": _tell_figures(
                        lambda: reporter.account.figures(
                            associations_open=len(provider.sessions),
                            free_bytes=store.free_bytes,
                            index_waiting=registrar.waiting,
                            commitments_waiting=desk.waiting,
                            outbox_waiting=dispatch.backlog.objects if dispatch else 0,
                            outbox_since_s=_since_s(dispatch.backlog.since) if dispatch else None,
                        )
                    ),
                    "commitments": desk.run(),
                    "door": door.serve(plain),
                }
                if dispatch is not None:
                    jobs["dispatch"] = dispatch.run()
                tls_port = None
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
                reporter.announce()
                try:
                    await _first_of(jobs)
                finally:
                    crew.close()
                    await registrar.close()
                    reporter.close()
                    audit.stopped()


def _since_s(since: datetime | None) -> float | None:
    return None if since is None else since.timestamp()


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
    # before there is an event loop: what forks the workers is forked in between
    line = read_line()
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
    log_to_stderr()
    try:
        code = _start()
    except Exception:  # noqa: BLE001 - the process ends here, saying why
        traceback.print_exc()
    # a disk that does not answer holds its thread; every acknowledged object is on the disk, and a half-written
    # one is removed at the next start
    os._exit(code)
