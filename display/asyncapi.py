"""The feed's description: an AsyncAPI 3.0 document, and the Markdown of docs/feed.md, from the same models.

``python -m display.asyncapi FILE`` writes the Markdown; a test keeps the committed file fresh.
"""

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from display.messages.access import Signed, SignIn, SignInRequest
from display.messages.calibration import (
    CalibrationAct,
    CalibrationState,
    InstallRequest,
    LandmarkList,
    RegisterRequest,
    VerifyRequest,
)
from display.messages.event import Event, Follow, TrendList
from display.messages.feed import (
    SUBPROTOCOL,
    VERSION,
    ClientMessage,
    GuidanceNotice,
    HealthNotice,
    Refusal,
    ServerMessage,
    State,
)
from display.messages.kept import PathPoints
from display.messages.procedure import Done, ProcedureRequest
from display.messages.resection import ResectionRequest
from display.messages.study import FramesRequest, StudyChoice, StudyList, StudyReport
from display.messages.worklist import PatientChoice, Worklist

JsonObject = dict[str, Any]

SERVER = tuple(model.__name__ for model in get_args(ServerMessage))
CLIENT = tuple(model.__name__ for model in get_args(ClientMessage))
LINE = (Event, Follow)
"""What goes over the line of events."""

EVENTS = tuple(model.__name__ for model in LINE)
NOTICES = (GuidanceNotice.__name__, HealthNotice.__name__)
TOPICS = {
    "state": (State.__name__, True),
    "guidance": (GuidanceNotice.__name__, False),
    "health/{device}": (HealthNotice.__name__, True),
}
"""What goes to a broker: the leaf of each topic, its message, whether it is retained (docs/mqtt.md)."""

CARRIED = (
    StudyList,
    StudyReport,
    StudyChoice,
    FramesRequest,
    Worklist,
    PatientChoice,
    ResectionRequest,
    ProcedureRequest,
    Done,
    SignInRequest,
    Signed,
    TrendList,
    PathPoints,
    InstallRequest,
    RegisterRequest,
    VerifyRequest,
    LandmarkList,
    CalibrationAct,
    CalibrationState,
)
"""What goes over HTTP."""

_TOPIC = "radionav/v2/{{site}}/{{room}}/{leaf}"
_LEVELS = {
    "site": "As the site file has it under [mqtt].",
    "room": "As the site file has it under [mqtt].",
    "device": "Name in the site file.",
}
_REFERENCE = "#/components/schemas/{name}"


def _schemas() -> JsonObject:
    models = (*get_args(ServerMessage), *get_args(ClientMessage), *LINE, GuidanceNotice, HealthNotice)
    _, schemas = msgspec.json.schema_components((*models, *CARRIED), ref_template=_REFERENCE)
    return schemas


def describe_feed() -> JsonObject:
    """Build the AsyncAPI 3.0 document of ``/v1/feed`` and of the topics on a broker."""
    schemas = _schemas()
    feed = {
        "address": "/v1/feed",
        "messages": {name: _message(name) for name in (*SERVER, *CLIENT)},
        "bindings": {"ws": {"method": "GET"}},
    }
    line = {
        "address": "/v1/events",
        "messages": {name: _message(name) for name in (*EVENTS, SignIn.__name__, Refusal.__name__)},
        "bindings": {"ws": {"method": "GET"}},
    }
    channels: JsonObject = {"feed": feed, "events": line}
    operations: JsonObject = {
        "tell": _channel("feed", "send", SERVER),
        "ask": _channel("feed", "receive", CLIENT),
        "tell_events": _channel("events", "send", (Event.__name__, Refusal.__name__)),
        "follow_events": _channel("events", "receive", (Follow.__name__, SignIn.__name__)),
    }
    for leaf, (name, is_retained) in TOPICS.items():
        key, address = leaf.split("/", 1)[0], _TOPIC.format(leaf=leaf)
        levels = {level: {"description": said} for level, said in _LEVELS.items() if f"{{{level}}}" in address}
        channels[key] = {"address": address, "parameters": levels, "messages": {name: _message(name)}}
        operations[f"publish_{key}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{key}"},
            "bindings": {"mqtt": {"retain": is_retained}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "radionav live feed",
            "version": VERSION,
            "description": f"WebSocket, subprotocol {SUBPROTOCOL}, and MQTT. See docs/feed.md and docs/mqtt.md.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "summary": schemas[name].get("description", ""),
                    "payload": {"$ref": _REFERENCE.format(name=name)},
                }
                for name in (*SERVER, *CLIENT, *EVENTS, *NOTICES)
            },
            "schemas": schemas,
        },
    }


def _message(name: str) -> JsonObject:
    return {"$ref": f"#/components/messages/{name}"}


def _channel(channel: str, action: str, names: Sequence[str]) -> JsonObject:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }


def _type_name(schema: JsonObject) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type_name(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_type_name(item) for item in schema['prefixItems'])}]"
        return f"array of {_type_name(schema['items'])}"
    return str(schema.get("type", "any"))


def document_feed() -> str:
    """Write the Markdown of docs/feed.md."""
    schemas = _schemas()
    parts = [inspect.cleandoc(_PREFACE).format(version=VERSION, subprotocol=SUBPROTOCOL)]
    sections = {
        "From the service": SERVER,
        "From the display": CLIENT,
        "On the line of events": EVENTS,
        "To a broker": NOTICES,
        "Parts of them, and what HTTP answers": [
            name for name in schemas if name not in {*SERVER, *CLIENT, *EVENTS, *NOTICES}
        ],
    }
    for title, names in sections.items():
        parts.append(f"## {title}")
        for name in names:
            parts.append(f"### {name}\n\n{schemas[name].get('description', '')}")
            parts.append(_table(schemas[name]))
    return "\n\n".join(parts) + "\n"


def _table(schema: JsonObject) -> str:
    rows = ["| field | type | meaning |", "|---|---|---|"]
    for field, value in schema["properties"].items():
        meaning = value.get("description", "")
        if not meaning and "anyOf" in value:
            meaning = next((choice["description"] for choice in value["anyOf"] if "description" in choice), "")
        rows.append(f"| `{field}` | {_type_name(value)} | {meaning} |")
    return "\n".join(rows)


_PREFACE = """
    # The live feed, version {version}

    This page is made from the models in `display/messages/`; so is the AsyncAPI document that the
    service serves at `/asyncapi.json`.

    Connect a WebSocket to `/v1/feed`, at the address that the service prints when it starts
    (`ws://127.0.0.1:8750` unless the site file says otherwise), with the subprotocol `{subprotocol}`; without it,
    or from a page of another origin, the connection is refused (403). Messages are JSON text, told apart by
    `type`; one that is none of these is answered with `refusal`, and the connection closed with 4400. The service
    sends `hello` first. After that one `state` frame is in flight at a time: when the display has drawn, it sends
    `next` with the sequence number that it drew, and gets the newest state as soon as there is a newer one (the
    service makes one as soon as a count comes, and others between: 20 a second). A slow display is spared frames,
    never served old ones; `spared` says how many. A `heartbeat` comes each second whatever else happens.

    The display decides by its own timer what is stale: when its newest `state` is older than `stale_after_s`
    everything on it must stop looking live; a `heartbeat` alone only says that the service is there. Each input
    carries `age_s`, its age when the frame was sent; the display lets it grow, and holds it against that input's
    own `stale_after_s`. A new `session_id` means that the service was started anew: drop what you hold. While
    `simulated` is true, say so across the whole display.

    `version` in the hello says what the messages mean. Its first number changes when an old display would misread
    one, as when a field gets a word that such a display takes for another; a display that knows another first
    number shows nothing of the room and asks to be reloaded. The second changes when there is more to read. The
    `v1` of the subprotocol and of the paths is of how to talk and where, and stays, so that an old display learns
    that it is old.

    Names end in their unit. Positions are mm in DICOM patient axes (LPS: +x to the patient's left, +y to the
    back, +z to the head) unless the name says otherwise. `null` is "not known", never zero.

    `guidance` says one thing at a time. While its `advice` is not null the sentence leads there: a place to hold
    the probe, also and above all where the target is not localisable. An advice older than its `stale_after_s`,
    or seen from a pose that is no longer live, is none: show neither it nor its sentence as live.

    What must not be lost stands on a second line, `/v1/events`, with the same subprotocol: marks, steps,
    excisions, counts and answers, faults of devices, and, a second of it at a time, the way of the tip, each an
    Event with a number. The display says once from where to go on (`follow` with `since_seq`) and gets
    everything after it, in order, however long it was away; after that each event as it comes, and a `beat` with
    the newest number each second. With `null` it begins where the procedure that displays show began, ended or
    not, and tells all of it; while they show none it begins after the former one's last step, with the newest
    1,000 at most. It goes on after them by number. `0` begins with the record, years of it. Nobody's pace is
    anybody else's.

    Where the room asks for it (`[display.access]` in the site file) the first message on either socket is
    `sign_in` with a token; the service closes with 4401 where it is nobody's, and within a second where it
    ceases to be. Over HTTP the same token goes as `Authorization: Bearer`. It never goes into a URL. A
    display's token looks; a person signs in with `POST /v1/sign-in` and acts. Without that table whoever is
    at this machine may do both. Whoever may not act is told of nobody but the patient on the table: events
    since the procedure began that the displays show (between two: since the former one ended), the studies of
    the patient whose study is in use, the report of that procedure. One that was away over a change of patient
    misses the former one's end; only a person's token is told all.

    Over HTTP: `GET /v1/studies` answers a StudyList, `GET /v1/studies/<study_uid>` a StudyReport, `POST
    /v1/frames` takes a FramesRequest, `POST /v1/procedure` a StudyChoice, `GET /v1/worklist` asks the
    hospital's worklists and answers a Worklist, `POST /v1/procedure/patient` takes a PatientChoice from it
    (both want a person), `POST /v1/procedure/acts` takes a ProcedureRequest, `POST
    /v1/procedure/pictures/<seq>` a PNG of what was shown, `GET /v1/procedure/report` gives the report as HTML
    and `GET /v1/procedure/report.pdf` as PDF/A, of the last procedure or the one that `?number=` names, `POST
    /v1/resection` takes a ResectionRequest, `GET /v1/trend?since_seq=` answers a TrendList, `GET
    /v1/path?since=` PathPoints, and `GET /v1/volumes/<etag>` gives the voxels that a VolumeState describes. A
    refused POST is answered with a sentence: 409 where it makes no sense now or somebody else has acted
    meanwhile, 401 and 403 where the token does not allow it, 429 where too many came, 503 as the service ends.
    The server answers pages that it served itself, and programs that know its name.

    A person before a display calibrates and registers with the devices that the room has open: `POST
    /v1/calibrations/tool`, `…/axis` and `…/timing` (the engineer's, an InstallRequest),
    `/v1/calibrations/register` (a RegisterRequest) and `/v1/calibrations/verify` (a VerifyRequest). One at a
    time; no count is taken for the patient's meanwhile. `GET /v1/calibrations?after=<seq>` answers a
    CalibrationState as soon as it is newer, or after ten seconds; a `waiting` one asks for the `instruction` to
    be followed, a `judging` one what to do after a motion that failed, an `accepting` one whether what passed is
    to be used: it is written then, and not before. `GET /v1/calibrations/landmarks` answers the LandmarkList of
    what can be touched to verify. `POST /v1/calibrations/<step>/acts` takes the person's CalibrationAct, with the
    `seq` of the state that is answered: of two answers to one question the second is refused. Whoever may act in
    theatre may `end` the engineer's, no more.

    A hospital's broker gets each `state` too, and the guidance and each device's link on topics of their own:
    see [MQTT](mqtt.md).
"""

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document_feed(), encoding="utf-8")
