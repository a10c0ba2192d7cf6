"""The routes of DICOMweb: each request is let in, answered, and told of."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from devices.clock import monotonic
from devices.dicom.index.database import IndexUnavailable
from devices.dicom.index.matching import Unanswerable
from devices.dicom.index.queries import Level
from devices.dicom.index.tables import series as series_table
from devices.dicom.index.tables import studies as studies_table
from devices.dicom.services.events import Cause, Disclosure, Ending, Notify, Refusal
from devices.dicom.services.pace import Pace
from devices.dicom.services.transfers import OpenTransfer
from devices.dicom.settings import NodeSettings, WebClient
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.identity import checked_uid
from devices.dicom.storage.store import ObjectStore
from devices.dicom.web.access import Access, Denied
from devices.dicom.web.attributes import MEDIA_TYPE, encode, encode_one
from devices.dicom.web.holdings import Holding, Holdings
from devices.dicom.web.parts import Malformed, PartReader, TooMuch, UnsupportedMediaType, boundary_of
from devices.dicom.web.retrieving import descriptions, new_boundary, parts, takes_dicom, takes_json
from devices.dicom.web.searching import Query, Search
from devices.dicom.web.storing import Intake

ROOT: Final = "/dicom-web"

BLOCK_BYTES: Final = 1 << 20
"""So much of a body is gathered before it goes to the disk's thread."""

Answer: TypeAlias = Callable[[Request, WebClient], Awaitable[Response]]

log = structlog.get_logger()


class TooSlow(Exception):
    """Raised when a body trickles in."""


class NotHeld(Exception):
    """Raised when what is asked for is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What each path answers.

    Attributes
    ----------
    settings
        The node's.
    store
        Where objects go.
    access
        Who may ask.
    notify
        Told of arrivals, refusals and disclosures.

    """

    settings: NodeSettings
    store: ObjectStore
    access: Access
    notify: Notify
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def serve(self, request: Request, answer: Answer) -> Response:
        """Let a request in and answer it, or say why not."""
        client = None
        try:
            client = self.access.admit(request.headers, to_store=request.method == "POST")
            response = await answer(request, client)
        except Denied as exc:
            response = self._refuse(request, client, exc.status, str(exc))
        except NotHeld as exc:
            response = _say(404, str(exc))
        except (Unanswerable, UnreadableObject) as exc:
            response = _say(400, str(exc))
        except (IndexUnavailable, SQLAlchemyError) as exc:
            log.warning("a query is not answered", reason=str(exc))
            response = _say(503, "the index cannot be used: see the node's log")
        response.headers["cache-control"] = "no-store"
        response.headers["x-content-type-options"] = "nosniff"
        if request.method == "POST" and response.status_code >= 400 and response.media_type != MEDIA_TYPE:
            response.headers["connection"] = "close"  # nobody reads what is still to come
        return response

    def _refuse(self, request: Request, client: WebClient | None, status: int, reason: str) -> Response:
        self.notify(
            Refusal(
                cause=Cause.REQUEST,
                calling_ae="" if client is None else client.ae_title,
                address=_address(request),
                reason=reason,
            )
        )
        response = _say(status, reason)
        if status == 401:
            response.headers["www-authenticate"] = "Bearer"
        return response

    # --- store ------------------------------------------------------------------------------------------------

    async def store_objects(self, request: Request, client: WebClient) -> Response:
        """Store the objects of a body."""
        try:
            boundary = boundary_of(request.headers.get("content-type", ""))
        except UnsupportedMediaType as exc:
            return _say(415, str(exc))
        except Malformed as exc:
            return _say(400, str(exc))
        if not takes_json(request.headers.get("accept", "")):
            return _say(406, f"answers are {MEDIA_TYPE}")
        study_uid = request.path_params.get("study")
        number, address = next(self.numbers), _address(request)
        intake = Intake(
            self.store,
            client,
            address=address,
            session=number,
            transfer=OpenTransfer(self.settings.folder, calling_ae=client.ae_title, address=address),
            limit_mb=self.settings.maximum_object_mb,
            study_uid=None if study_uid is None else checked_uid(study_uid, name="the study in the path"),
            notify=self.notify,
            holdings=Holdings(self.settings.folder, self.settings.index),
            url_of=_url_of(request),
        )
        fault: tuple[int, str] | None = (500, "the request was given up")
        try:
            fault = await self._take(request, PartReader(boundary, intake.begin))
        finally:
            intake.discard()
            self.notify(
                Ending(
                    session=number,
                    calling_ae=client.ae_title,
                    address=address,
                    was_released=fault is None,
                )
            )
        if fault is not None:
            status, reason = fault
            refused = self._refuse(request, client, status, reason)
            if not intake.acknowledged:
                return refused
        said = await asyncio.to_thread(encode_one, intake.response())
        return Response(said, status_code=intake.status if fault is None else fault[0], media_type=MEDIA_TYPE)

    async def _take(self, request: Request, reader: PartReader) -> tuple[int, str] | None:
        """Take a body apart to its end; gives a status and why where it has none."""
        try:
            async for block in self._blocks(request):
                await asyncio.to_thread(reader.take, block)
            reader.finish()
        except TimeoutError:
            return 408, f"nothing came for {self.settings.idle_time_s:g} s"
        except TooSlow as exc:
            return 408, str(exc)
        except ClientDisconnect:
            return 400, "the connection ended within the body"
        except Malformed as exc:
            return 400, str(exc)
        except TooMuch as exc:
            return 413, str(exc)
        return None

    async def _blocks(self, request: Request) -> AsyncIterator[bytes]:
        gathered, window_s = bytearray(), self.settings.idle_time_s
        pace, turn_s = Pace(least_bytes_per_s=self.settings.minimum_bytes_per_s, window_s=window_s), 0.0
        coming = aiter(request.stream())
        while True:
            since_s = monotonic()
            async with asyncio.timeout(window_s):
                chunk = await anext(coming, None)
            turn_s += monotonic() - since_s
            if chunk is not None:
                gathered += chunk
                pace.brought(len(chunk))
                if complaint := pace.look(turn_s, is_under_way=True):
                    raise TooSlow(complaint)
            if len(gathered) >= BLOCK_BYTES or (chunk is None and gathered):
                block, gathered = bytes(gathered), bytearray()
                yield block
            if chunk is None:
                return

    # --- search -----------------------------------------------------------------------------------------------

    async def search(self, request: Request, client: WebClient, level: Level) -> Response:
        """Answer a query."""
        if not takes_json(request.headers.get("accept", "")):
            return _say(406, f"answers are {MEDIA_TYPE}")
        columns = {"study": studies_table.c.study_uid, "series": series_table.c.series_uid}
        path = {columns[name]: uid for name, uid in request.path_params.items()}
        query = Query.read(level, request.query_params.multi_items(), path=path)
        search = Search(self.settings.folder, self.settings.index, url_of=_url_of(request))
        found = await asyncio.to_thread(search.answer, query)
        studies = {str(one[0x0020000D].value): 1 for one in found}
        self._disclose(request, client, studies, is_query=True)
        headers = [("warning", f'299 {_service(request)}: "{warning}"') for warning in query.warnings]
        body = await asyncio.to_thread(encode, *found)
        response = Response(body, media_type=MEDIA_TYPE) if found else Response(status_code=204)
        for name, value in headers:
            response.headers.append(name, value)
        return response

    # --- retrieve ---------------------------------------------------------------------------------------------

    async def retrieve(self, request: Request, client: WebClient) -> Response:
        """Give objects as they are stored."""
        found = await self._find(request)
        if not takes_dicom(request.headers.get("accept", ""), found):
            return _say(
                406, 'objects are multipart/related; type="application/dicom", in the transfer syntax stored'
            )
        self._disclose(request, client, _by_study(found))
        boundary = new_boundary()
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        return StreamingResponse(parts(found, boundary), headers={"content-type": kind})

    async def describe(self, request: Request, client: WebClient) -> Response:
        """Give what objects say of themselves."""
        if not takes_json(request.headers.get("accept", "")):
            return _say(406, f"answers are {MEDIA_TYPE}")
        found = await self._find(request)
        self._disclose(request, client, _by_study(found), is_query=True)
        return StreamingResponse(descriptions(found), media_type=MEDIA_TYPE)

    async def _find(self, request: Request) -> list[Holding]:
        uids = {
            name: checked_uid(uid, name=f"the {name} in the path") for name, uid in request.path_params.items()
        }
        holdings = Holdings(self.settings.folder, self.settings.index)
        found = await asyncio.to_thread(holdings.find, uids["study"], uids.get("series"), uids.get("instance"))
        if not found:
            raise NotHeld("there is no such object")
        return found

    def _disclose(
        self, request: Request, client: WebClient, studies: dict[str, int], *, is_query: bool = False
    ) -> None:
        self.notify(
            Disclosure(calling_ae=client.ae_title, address=_address(request), studies=studies, is_query=is_query)
        )


def create_app(web: Web) -> Starlette:
    """Build the server."""
    app = Starlette()
    study, one_series = f"{ROOT}/studies/{{study}}", f"{ROOT}/studies/{{study}}/series/{{series}}"
    instance = f"{one_series}/instances/{{instance}}"

    def add(path: str, answer: Answer, method: str = "GET") -> None:
        async def route(request: Request) -> Response:
            return await web.serve(request, answer)

        app.router.routes.append(served := Route(path, route, methods=[method]))
        served.methods = {method}  # HEAD would read a study to say how long it is

    def searching(level: Level) -> Answer:
        async def search(request: Request, client: WebClient) -> Response:
            return await web.search(request, client, level)

        return search

    add(f"{ROOT}/studies", web.store_objects, "POST")
    add(study, web.store_objects, "POST")
    for path, level in (
        (f"{ROOT}/studies", Level.STUDIES),
        (f"{ROOT}/series", Level.SERIES),
        (f"{study}/series", Level.SERIES),
        (f"{ROOT}/instances", Level.INSTANCES),
        (f"{study}/instances", Level.INSTANCES),
        (f"{one_series}/instances", Level.INSTANCES),
    ):
        add(path, searching(level))
    for path in (study, one_series, instance):
        add(f"{path}/metadata", web.describe)
        add(path, web.retrieve)
    return app


def _say(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence, status_code=status)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _by_study(found: list[Holding]) -> dict[str, int]:
    return {one.study_uid: len(found) for one in found}


def _service(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{ROOT}"


def _url_of(request: Request) -> Callable[..., str]:
    base = _service(request)

    def url_of(study_uid: str, series_uid: str | None = None, object_uid: str | None = None) -> str:
        url = f"{base}/studies/{study_uid}"
        if series_uid is not None:
            url += f"/series/{series_uid}"
        if object_uid is not None:
            url += f"/instances/{object_uid}"
        return url

    return url_of
