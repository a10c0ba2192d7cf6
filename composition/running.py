"""Run a room, with its ports, files and server, until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import numpy as np
from fastapi import FastAPI
from threadpoolctl import threadpool_limits

from acquisition.recording import record
from acquisition.replay.clock import ReplayClock
from acquisition.session.journal import JournalUnusable, open_journal
from composition.errors import ServiceError
from composition.instruments import probe_in_hand
from composition.room import Room
from config.settings import Site
from devices.clock import monotonic
from devices.dicom.web.access import TokenUnusable
from devices.errors import DeviceUnavailable
from devices.igtl_server import IgtlServer, serve_igtl
from display.access.admission import AccessFiles, Admission
from display.access.people import PeopleUnusable
from display.app import create_app
from display.server import AddressInUse, Certificate, Server, listen
from display.summary import sum_up


def utc_now() -> datetime:
    """Give the time of day."""
    return datetime.now(tz=UTC)


async def run_room(
    site: Site,
    *,
    is_simulated: bool,
    stop: asyncio.Event,
    rng: np.random.Generator,
    on_ready: Callable[[Room, str], Coroutine[Any, Any, None]],
    replay: ReplayClock | None = None,
) -> Room:
    """Run a room until ``stop`` is set; on the time of a recording where one is played into it.

    Raises
    ------
    ServiceError
        Where it cannot start: a port in use, a calibration that is missing or another probe's.

    """
    try:
        listener = listen(site.display.host, site.display.port)
    except AddressInUse as exc:
        raise ServiceError(f"display: {exc}") from exc
    async with contextlib.AsyncExitStack() as stack:
        # more threads cost more than they give: matrices are small, the event loop waits
        stack.enter_context(threadpool_limits(limits=1))
        stack.enter_context(contextlib.closing(listener))
        now = replay.now if replay else utc_now
        try:
            recorder = stack.enter_context(
                record(
                    site.recordings, simulated=is_simulated, replayed=replay is not None, clock=replay or monotonic
                )
            )
        except OSError as exc:
            raise ServiceError(f"recordings: {site.recordings} cannot be written: {exc.strerror}") from exc
        try:
            journal = stack.enter_context(open_journal(site.procedure.database, now=now))
        except JournalUnusable as exc:
            raise ServiceError(str(exc)) from exc
        followed_by = await stack.enter_async_context(_follow_by_igtl(site, is_simulated=is_simulated))
        try:
            room = Room(
                site,
                is_simulated=is_simulated,
                recorder=recorder,
                journal=journal,
                followed_by=followed_by,
                rng=rng,
                now=now,
                replay=replay,
            )
        except JournalUnusable as exc:
            raise ServiceError(f"{site.procedure.database}: {exc}") from exc
        admission = _admission(site)
        app = create_app(
            room.exhibits(),
            # neither figures nor a worklist are of a recording
            collector=None if replay else room.collector(),
            admission=admission,
            reception=None if replay else room.reception,
            calibrator=None if replay else room.calibrating,
            hosts=site.display.names,
        )
        server = _server(app, site)
        gc.collect()
        gc.freeze()  # what stays for ever is not looked through again: each time it cost the frames up to 150 ms
        host, port = listener.getsockname()[:2]
        scheme = "https" if site.display.tls else "http"
        address = f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]), name="display")
            running = [tasks.create_task(job, name=name) for name, job in room.jobs()]
            if admission is not None:
                running.append(tasks.create_task(admission.watch(), name="access"))
            running.append(tasks.create_task(on_ready(room, address), name="ready"))
            await stop.wait()
            server.close()
            await serving
            for task in running:
                task.cancel()
    return room


@contextlib.asynccontextmanager
async def _follow_by_igtl(site: Site, *, is_simulated: bool) -> AsyncIterator[IgtlServer | None]:
    """Let others follow by OpenIGTLink, where the site file says so."""
    if site.openigtlink is None:
        yield None
        return
    navigation = site.navigation
    try:
        async with serve_igtl(
            site.openigtlink,
            pose_lasts_s=site.trackers[navigation.tracker].silence_s if navigation else 0.0,
            rate_lasts_s=site.probes[probe_in_hand(site)].stale_after_s or site.display.stale_after_s,
            is_simulated=is_simulated,
        ) as server:
            yield server
    except DeviceUnavailable as exc:
        raise ServiceError(str(exc)) from exc


def _admission(site: Site) -> Admission | None:
    access = site.display.access
    if access is None:
        return None
    files = AccessFiles(view_token=access.view_token, people=access.people, engineer_token=access.engineer_token)
    try:
        return Admission(files, monotonic)
    except (PeopleUnusable, TokenUnusable) as exc:
        raise ServiceError(f"display.access: {exc}") from exc


def _server(app: FastAPI, site: Site) -> Server:
    tls = site.display.tls
    certificate = Certificate(certificate=tls.certificate, key=tls.key) if tls else None
    server = Server(app, tls=certificate)
    try:
        server.config.load()
    except OSError as exc:
        raise ServiceError(
            f"display.tls: {tls}: {exc}: name certificate and key that can be read and belong together"
        ) from exc
    return server


def stop_on_signals(seconds: float | None) -> asyncio.Event:
    """Make an event that SIGINT, SIGTERM or the end of the time sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    return stop


async def announce(room: Room, address: str) -> None:
    """Say on standard error where the room can be reached."""
    print(f"the display is at {address}", file=sys.stderr)
    if (served := room.followed_by) is not None:
        print(f"OpenIGTLink is served at {served.host}:{served.port}", file=sys.stderr)
    node = await room.intake.node  # last: of a room without one there is nothing to wait for
    print(f"the DICOM node listens at {node.host}:{node.port}", file=sys.stderr)
    if node.web_port is not None:
        print(f"DICOMweb listens on port {node.web_port}", file=sys.stderr)


async def serve(site: Site, *, seconds: float | None) -> dict[str, Any]:
    """Serve a room of real devices until a signal or the end of the time; give its summary.

    Raises
    ------
    ServiceError
        Where it cannot start.

    """
    room = await run_room(
        site,
        is_simulated=False,
        stop=stop_on_signals(seconds),
        rng=np.random.default_rng(),
        on_ready=announce,
    )
    return sum_up(room.board.tally, room.posterior)
