"""A procedure whose service is killed: it goes on within 5 s of the service being up again, and lacks nothing."""

import http.client
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from acquisition.session.journal import open_journal
from acquisition.session.yardstick import PEAK
from display.messages.event import Event, Follow, TrendList, TrendPoint
from display.messages.feed import SUBPROTOCOL
from display.messages.kept import PathPoints
from display.messages.measures import Point
from display.messages.procedure import ProcedureState
from tests.system.running import PATIENCE_S, Service, looking, running

pytestmark = pytest.mark.timeout(500)

RESUMED_WITHIN_S = 5.0
MAPPED_WITHIN_S = 240.0
"""The longest that a busy host may take to read a study."""

SWEPT_POINTS, LOST_POINTS = 60, 30
"""Points of the path that are waited for, and that may be missing after a kill: of a second, one a frame."""

ATTEMPTS = 3
"""A busy host may make one start late, but not each of a few."""


def act(service: Service, revision: int, action: str, **told: Any) -> tuple[int, str]:
    """Act as whoever stands at this machine; status and what is answered."""
    connection = http.client.HTTPConnection(service.display, timeout=PATIENCE_S)
    try:
        body = json.dumps({"revision": revision, "action": action, **told})
        connection.request("POST", "/v1/procedure/acts", body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def events_of(service: Service, upto: int) -> list[Event]:
    """Everything on record up to a number, as a display that joins late is told it."""
    found: list[Event] = []
    spoken = [Subprotocol(SUBPROTOCOL)]
    address = f"ws://{service.display}/v1/events"
    with connect(address, subprotocols=spoken, proxy=None, ping_interval=None) as socket:
        socket.send(msgspec.json.encode(Follow(since_seq=0)).decode())
        while not found or found[-1].seq < upto:
            event = msgspec.json.decode(socket.recv(timeout=PATIENCE_S), type=Event)
            if event.kind != "beat":
                found.append(event)
    return found


def swept(service: Service) -> tuple[Point, ...]:
    """The way of the tip so far."""
    connection = http.client.HTTPConnection(service.display, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/v1/path")
        return msgspec.json.decode(connection.getresponse().read(), type=PathPoints).points_mm
    finally:
        connection.close()


def trended(service: Service) -> tuple[TrendPoint, ...]:
    """The rate of the last minutes."""
    connection = http.client.HTTPConnection(service.display, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/v1/trend")
        return msgspec.json.decode(connection.getresponse().read(), type=TrendList).points
    finally:
        connection.close()


def planned(service: Service) -> ProcedureState:
    """Begin the procedure of the patient whose map is in use, and wait for its plan."""
    with looking(service.display) as display:
        display.until(lambda state: state.study is not None, within_s=MAPPED_WITHIN_S)
        service.choose(next(study for study in service.studies() if study.in_use))
        begun = display.until(lambda state: state.procedure.number).procedure
        status, said = act(service, begun.revision, "move", to="plan")
        assert status == 200, said
        return display.until(lambda state: state.procedure.step == "plan" and state.procedure.sources).procedure


def stands(procedure: ProcedureState) -> tuple[object, ...]:
    """Where a procedure stands."""
    return procedure.number, procedure.revision, procedure.step, procedure.taken


def decided(procedure: ProcedureState) -> dict[str, object]:
    """What was decided about each hot spot."""
    return {source.name: source.confirmed for source in procedure.sources}


def greatest_recorded_cps(folder: Path) -> float:
    """The greatest peak in the record of a service that has ended."""
    (database,) = folder.rglob("procedures.sqlite")
    with open_journal(database, now=lambda: datetime.now(tz=UTC)) as journal:
        return max(float(entry.told["rate_cps"]) for entry in journal.of(PEAK))


def test_a_killed_service_goes_on_where_it_was(tmp_path: Path) -> None:
    """Two persons act at once and one is told so; what was acknowledged is there after SIGKILL, within 5 s."""
    room = ("--simulate", "--dicom-port", 0, "--port", 0, "--keep", tmp_path / "kept")
    with running(*room, folder=tmp_path) as service:
        plan = planned(service)
        with ThreadPoolExecutor() as both:
            asked = [
                both.submit(
                    act, service, plan.revision, "draw", place_mm=[x_mm, -60.0, 40.0], sort="target", name=name
                )
                for name, x_mm in (("Left", 40.0), ("Right", -40.0))
            ]
        answers = sorted(each.result() for each in asked)
        assert [status for status, _ in answers] == [200, 409], answers
        assert "somebody else has acted" in answers[1][1]
        with looking(service.display) as display:
            before = display.until(lambda state: any(each.is_drawn for each in state.procedure.sources)).procedure
        with looking(service.display) as display:
            display.until(lambda state: state.path.length >= SWEPT_POINTS and state.peak)
            while act(service, before.revision, "choose_background")[0] != http.HTTPStatus.OK:
                display.until(lambda state: state.rate)  # on a busy host no rate may be of now
            compared = display.until(lambda state: state.background)
        status, said = act(service, compared.procedure.revision, "mark")
        assert status == 200, said
        way = swept(service)
        last = json.loads(said)["seq"]
        events = events_of(service, last)
        before = msgspec.structs.replace(before, revision=last)
        service.signal(signal.SIGKILL)
        service.ended()
    greatest_cps = greatest_recorded_cps(tmp_path / "kept")
    delays_s = []
    for _ in range(ATTEMPTS):
        with running(*room, folder=tmp_path) as again:
            address = again.display
            up_s = time.monotonic()
            with looking(address) as display:
                display.until(lambda state: stands(state.procedure) == stands(before))
                delays_s.append(time.monotonic() - up_s)
                kept = events_of(again, last)
                display.until(lambda state: decided(state.procedure) == decided(before), within_s=MAPPED_WITHIN_S)
                met = display.until(lambda state: state.path.length and state.peak)
                assert met.background == compared.background
                assert met.peak is not None
                assert met.peak.rate_cps >= greatest_cps
                former = [point.rate_cps for point in trended(again) if point.seq == 0]
                assert any(rate_cps is not None for rate_cps in former)
                assert former[-1] is None, "what was counted before is joined with what is counted now"
                assert swept(again)[: len(way) - LOST_POINTS] == way[:-LOST_POINTS]
            again.signal(signal.SIGKILL)
            again.ended()
        assert kept == events, "an entry is missing, or another than it was"
        if delays_s[-1] <= RESUMED_WITHIN_S:
            return
    pytest.fail(f"it went on after {delays_s} s")
