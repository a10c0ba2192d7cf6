"""The display's HTTP server: the page, the feed, volumes, received studies."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.middleware import Middleware
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client.registry import Collector

from acquisition.session.journal import Journal
from acquisition.session.reception import Reception
from acquisition.session.swept_path import SweptPath
from acquisition.studies.report import Direction, read_approach
from devices.clock import Clock
from display.access.admission import Admission, Visitor
from display.access.gate import Gate
from display.access.sign_in import SignInRoutes, admit
from display.asyncapi import describe_feed
from display.bodies import do
from display.connection import Connection
from display.discretion import Discretion
from display.events import Audience, serve_events
from display.guard import Guard
from display.hub import Hub
from display.messages.event import TrendList
from display.messages.feed import SUBPROTOCOL, Hello
from display.messages.kept import PathPoints
from display.messages.procedure import ProcedureRequest
from display.messages.resection import ResectionRequest
from display.messages.study import FramesRequest, StudyChoice, StudyList, StudyReport
from display.metrics import MEDIA_TYPE, expose
from display.routes.calibration import CalibrationRoutes, Calibrator
from display.routes.record import RecordRoutes
from display.routes.worklist import WorklistRoutes
from display.shelf import Shelf
from display.trend import TrendMemory

PAGE_FOLDER = Path(__file__).parent / "page" / "dist"
MOST_DISPLAYS = 100

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

Chooser = Callable[[StudyChoice], Awaitable[str | None]]
"""Takes the map of a confirmed study into use; returns why not, or None."""

Reporter = Callable[[str, Direction | None], StudyReport | None]
"""Tells all that was made of a study, along a planned approach if there is one; takes a moment, for a thread."""

FrameConfirmer = Callable[[FramesRequest], Awaitable[str | None]]
"""Joins two frames of reference on a person's word; returns why not, or None."""

Resecter = Callable[[ResectionRequest], Awaitable[str | None]]
"""Marks or counts after an excision; returns why not, or None."""

Proceeder = Callable[[ProcedureRequest], Awaitable[str | int]]
"""Does what a person asks for in the procedure; returns the number of its entry, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibits:
    """What the server shows: live objects that others fill.

    Attributes
    ----------
    hub
        The newest state.
    shelf
        The volumes of the study in use, and the live images.
    hello
        Makes the first message of a connection.
    studies
        Lists what was received.
    report
        Tells all that was made of one.
    choose
        Takes a confirmed study into use.
    frames
        Joins or parts two frames of reference of a study.
    resect
        Does what a person marks or counts after an excision.
    proceed
        Does what a person asks for in the procedure.
    journal
        The procedure's record.
    trend
        The rate of the last minutes.
    path
        The way of the tip over the patient so far.
    clock
        The host's monotonic clock.

    """

    hub: Hub
    shelf: Shelf
    hello: Callable[[], Hello]
    studies: Callable[[], StudyList]
    report: Reporter
    choose: Chooser
    frames: FrameConfirmer
    resect: Resecter
    proceed: Proceeder
    journal: Journal
    trend: TrendMemory
    path: SweptPath
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """What each path answers."""

    exhibits: Exhibits
    admission: Admission | None
    discretion: Discretion

    async def feed(self, websocket: WebSocket) -> None:
        """Serve ``/v1/feed``."""
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.close(4406, f"this feed speaks {SUBPROTOCOL}: reload the page")
            return
        await websocket.accept(SUBPROTOCOL)
        await admit(websocket, self.admission, lambda _: self._show(websocket))

    async def _show(self, websocket: WebSocket) -> None:
        """Serve a display that is let in; counted only now, for until it signs in it holds no place."""
        if self.exhibits.hub.displays >= MOST_DISPLAYS:
            await websocket.close(4429, f"{MOST_DISPLAYS} displays look already: close one")
            return
        connection = Connection(websocket, self.exhibits.hub, clock=self.exhibits.clock)
        await connection.serve(self.exhibits.hello())

    async def events(self, websocket: WebSocket) -> None:
        """Serve ``/v1/events``."""
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.close(4406, f"this line speaks {SUBPROTOCOL}: reload the page")
            return
        await websocket.accept(SUBPROTOCOL)
        await admit(websocket, self.admission, lambda visitor: self._tell(websocket, visitor))

    async def _tell(self, websocket: WebSocket, visitor: Visitor) -> None:
        audience = Audience(
            first_unasked=self.discretion.first_unasked,
            first_seq=lambda: self.discretion.first_seq(visitor),
            tell=lambda entry: self.discretion.tell(visitor, entry),
        )
        await serve_events(websocket, self.exhibits.journal, audience)

    async def trend(self, since_seq: int = -1) -> Response:
        """Give the rate of the last minutes."""
        points = self.exhibits.trend.since(since_seq)
        return _json(TrendList(session_id=self.exhibits.hello().session_id, points=points))

    async def path(self, since: int = 0) -> Response:
        """Give the way of the tip so far, but for its first points."""
        path = self.exhibits.path
        first, points_mm = path.since(since)
        session_id = self.exhibits.hello().session_id
        return _json(PathPoints(session_id=session_id, number=path.number, first=first, points_mm=points_mm))

    async def volume(self, etag: str, request: Request) -> Response:
        """Send the voxels of a volume in use; they never change under their name."""
        found = self.exhibits.shelf.find(etag)
        if found is None:
            return PlainTextResponse("no such volume is in use; ask the feed which is", status_code=404)
        headers = {"etag": f'"{etag}"', "cache-control": "private, max-age=31536000, immutable"}
        held = request.headers.get("if-none-match", "").split(",")
        if {each.strip().removeprefix("W/") for each in held} & {f'"{etag}"', "*"}:
            return Response(status_code=304, headers=headers)
        return Response(found.packed, media_type="application/octet-stream", headers=headers)

    async def studies(self, request: Request) -> Response:
        """List what was received and what was made of it."""
        return _json(self.discretion.studies(request.state.visitor, self.exhibits.studies()))

    async def study(self, study_uid: str, request: Request, approach: str = "") -> Response:
        """Tell all that was made of a study, along a planned approach too."""
        try:
            direction = read_approach(approach) if approach else None
        except ValueError as exc:
            return PlainTextResponse(str(exc), status_code=422)
        is_told = self.discretion.may_read_study(request.state.visitor, study_uid, self.exhibits.studies())
        found = await asyncio.to_thread(self.exhibits.report, study_uid, direction) if is_told else None
        if found is None:
            return PlainTextResponse("no such study has come in, or it is being read", status_code=404)
        return _json(found)

    async def frames(self, request: Request) -> Response:
        """Take a person's word that two frames of reference are one space, or no longer."""
        return await do(request, FramesRequest, self.exhibits.frames)

    async def procedure(self, request: Request) -> Response:
        """Take the study into use whose patient a person has confirmed."""
        return await do(request, StudyChoice, self.exhibits.choose)

    async def resection(self, request: Request) -> Response:
        """Do what a person marks or counts after an excision."""
        return await do(request, ResectionRequest, self.exhibits.resect)

    async def proceed(self, request: Request) -> Response:
        """Do what a person asks for in the procedure."""
        return await do(request, ProcedureRequest, self.exhibits.proceed)

    async def asyncapi(self) -> Response:
        """Describe the feed."""
        return _json(describe_feed())

    async def no_page(self) -> Response:
        """Say how to build the page that is not there."""
        return PlainTextResponse("The page is not built here: run `make page`.", status_code=503)


def create_app(
    exhibits: Exhibits,
    *,
    collector: Collector | None = None,
    admission: Admission | None = None,
    reception: Reception | None = None,
    calibrator: Calibrator | None = None,
    hosts: Sequence[str] = LOOPBACK_NAMES,
    page_folder: Path = PAGE_FOLDER,
) -> FastAPI:
    """Build the server for one room's displays.

    ``collector`` reads the figures for Prometheus, None for none; ``admission`` says who may look and act, None
    lets whoever is at this machine; ``reception`` takes patients from the worklist, None asks none;
    ``calibrator`` calibrates and registers before the room's tracker, None where there is none; ``hosts`` are the
    names that it answers for.
    """
    app = FastAPI(
        title="radionav",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        middleware=[
            Middleware(Guard, hosts=tuple(hosts)),
            Middleware(Gate, admission=admission, clock=exhibits.clock),
        ],
    )
    discretion = Discretion(hub=exhibits.hub, journal=exhibits.journal)
    routes = Routes(exhibits=exhibits, admission=admission, discretion=discretion)
    records = RecordRoutes(journal=exhibits.journal, discretion=discretion, place=lambda: _place(exhibits.hello()))
    app.add_api_websocket_route("/v1/feed", routes.feed)
    app.add_api_websocket_route("/v1/events", routes.events)
    app.add_api_route("/v1/trend", routes.trend)
    app.add_api_route("/v1/path", routes.path)
    app.add_api_route("/v1/volumes/{etag}", routes.volume)
    app.add_api_route("/v1/studies", routes.studies)
    app.add_api_route("/v1/studies/{study_uid}", routes.study)
    app.add_api_route("/v1/frames", routes.frames, methods=["POST"])
    app.add_api_route("/v1/procedure", routes.procedure, methods=["POST"])
    app.add_api_route("/v1/procedure/acts", routes.proceed, methods=["POST"])
    app.add_api_route("/v1/procedure/pictures/{seq}", records.keep_picture, methods=["POST"])
    app.add_api_route("/v1/procedure/report", records.report)
    app.add_api_route("/v1/procedure/report.pdf", records.report_pdf)
    app.add_api_route("/v1/resection", routes.resection, methods=["POST"])
    if reception is not None:
        desk = WorklistRoutes(reception=reception)
        app.add_api_route("/v1/worklist", desk.worklist)
        app.add_api_route("/v1/procedure/patient", desk.choose, methods=["POST"])
    if calibrator is not None:
        bench = CalibrationRoutes(calibrator=calibrator, is_simulated=lambda: exhibits.hello().simulated)
        app.add_api_route("/v1/calibrations", bench.standing)
        app.add_api_route("/v1/calibrations/landmarks", bench.landmarks)
        app.add_api_route("/v1/calibrations/tool", bench.tool, methods=["POST"])
        app.add_api_route("/v1/calibrations/axis", bench.axis, methods=["POST"])
        app.add_api_route("/v1/calibrations/timing", bench.timing, methods=["POST"])
        app.add_api_route("/v1/calibrations/register", bench.register, methods=["POST"])
        app.add_api_route("/v1/calibrations/verify", bench.verify, methods=["POST"])
        app.add_api_route("/v1/calibrations/{step}/acts", bench.act, methods=["POST"])
    if admission is not None:
        doors = SignInRoutes(admission=admission)
        app.add_api_route("/v1/sign-in", doors.sign_in, methods=["POST"])
        app.add_api_route("/v1/sign-out", doors.sign_out, methods=["POST"])
    if collector is not None:
        app.add_api_route("/metrics", lambda: Response(expose(collector), media_type=MEDIA_TYPE))
    app.add_api_route("/asyncapi.json", routes.asyncapi)
    if (page_folder / "index.html").exists():
        app.mount("/", StaticFiles(directory=page_folder, html=True))
    else:
        app.add_api_route("/", routes.no_page)
    return app


def _place(hello: Hello) -> str:
    return f"{hello.site}, {hello.room}"


def _json(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
