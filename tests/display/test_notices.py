"""What a hospital's broker gets, read by whoever subscribes to one topic alone."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from devices.clock import monotonic
from devices.mqtt import MqttPublisher
from devices.mqtt_broker import Settings
from devices.readings import DeviceHealth, LinkState
from display.asyncapi import describe_feed
from display.messages.feed import VERSION, GuidanceNotice, HealthNotice, State
from tests.devices.mosquitto_peer import Broker, started
from tests.display.test_stage import SIGNBOARD, House, running

DOCUMENT = Path(__file__).parents[2] / "docs" / "mqtt.md"
ROOM = "radionav/v2/site/room"


def listens_at(port: int) -> tuple[House, DeviceHealth]:
    """A room with a broker, whose probe was unplugged a minute ago."""
    settings = Settings(host="127.0.0.1", port=port, site="site", room="room")
    house = House(MqttPublisher(settings, on_health=lambda _: None, jitter=lambda: 0.5))
    lost = DeviceHealth(device="gamma", state=LinkState.LOST, since_s=monotonic() - 60, detail="plug it in")
    house.console.board.link(lost)
    return house, lost


async def payload_of(port: int, leaf: str) -> bytes:
    """The first message that a subscriber to this topic alone gets."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(f"{ROOM}/{leaf}", qos=1)
        message = await anext(aiter(client.messages))
        assert isinstance(message.payload, bytes)
        return message.payload


def is_of_now(utc: str, *, since: timedelta = timedelta()) -> bool:
    """Whether an ISO 8601 time lies this long ago, within what a test takes."""
    return timedelta() <= datetime.now(tz=UTC) - since - datetime.fromisoformat(utc) < timedelta(seconds=30)


@pytest.mark.peer("mosquitto")
async def test_each_topic_says_by_itself_what_it_is_of(tmp_path: Path) -> None:
    """State, guidance and health each carry version, session, time, and that all of it is simulated."""
    async with started(Broker(tmp_path)) as broker:
        house, lost = listens_at(broker.port)
        async with running(house):
            house.stage.tell(lost)
            state = msgspec.json.decode(await payload_of(broker.port, "state"), type=State)
            guided = msgspec.json.decode(await payload_of(broker.port, "guidance"), type=GuidanceNotice)
            told = msgspec.json.decode(await payload_of(broker.port, "health/gamma"), type=HealthNotice)
    for message in (state, guided, told):
        assert message.simulated
        assert message.session_id == SIGNBOARD.session_id
        assert is_of_now(message.server_time_utc)
    assert guided.version == told.version == VERSION
    assert guided.guidance == state.guidance
    assert guided.guidance.sentence
    assert (told.device.name, told.device.state, told.device.detail) == ("gamma", "lost", "plug it in")
    assert is_of_now(told.since_utc, since=timedelta(seconds=60))


@pytest.mark.peer("mosquitto")
async def test_what_is_retained_of_a_link_has_no_age(tmp_path: Path) -> None:
    """A retained age would stand still: a subscriber of tomorrow reads times, which do not."""
    async with started(Broker(tmp_path)) as broker:
        house, lost = listens_at(broker.port)
        house.console.board.delivered_s["gamma"] = monotonic()
        async with running(house):
            house.stage.tell(lost)
            await payload_of(broker.port, "health/gamma")
        told = json.loads(await payload_of(broker.port, "health/gamma"))
    names = {*told, *told["device"]}
    assert not {name for name in names if "age" in name or name.endswith("_s")}
    assert {"since_utc", "server_time_utc"} <= names


def test_the_examples_are_messages() -> None:
    """What docs/mqtt.md shows is what comes, field by field."""
    guidance, health = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    for example, model in ((guidance, GuidanceNotice), (health, HealthNotice)):
        shown = msgspec.json.decode(example, type=model)
        assert msgspec.to_builtins(shown) == json.loads(example)


def test_the_description_names_the_topics_and_what_is_on_them() -> None:
    """Each topic of docs/mqtt.md is a channel with its message, whose schema says that it may be simulated."""
    document = describe_feed()
    schemas = document["components"]["schemas"]
    for leaf, name in (("state", "State"), ("guidance", "GuidanceNotice"), ("health/{device}", "HealthNotice")):
        (channel,) = (
            found
            for found in document["channels"].values()
            if found["address"] == f"radionav/v2/{{site}}/{{room}}/{leaf}"
        )
        assert channel["messages"] == {name: {"$ref": f"#/components/messages/{name}"}}
        assert set(channel["parameters"]) == set(re.findall(r"{(\w+)}", channel["address"]))
        assert {"simulated", "session_id", "server_time_utc"} <= set(schemas[name]["required"])
    retained = {
        operation["channel"]["$ref"].rsplit("/", 1)[-1]: operation["bindings"]["mqtt"]["retain"]
        for operation in document["operations"].values()
        if "bindings" in operation
    }
    assert retained == {"state": True, "guidance": False, "health": True}
