"""What goes over a device's link, and how the device says that it is, as displays read it."""

from typing import Annotated

from msgspec import Meta, Struct


class TrafficState(Struct, frozen=True, kw_only=True):
    """What has come over a device's link since the start."""

    received_bytes: Annotated[int, Meta(ge=0, description="Bytes that came.")]
    frames: Annotated[int, Meta(ge=0, description="Frames cut of them, refused ones included.")]
    rejected: Annotated[int, Meta(ge=0, description="Frames or lines refused.")]
    resyncs: Annotated[int, Meta(ge=0, description="Readings before which something counted is lost.")]
    timeouts: Annotated[int, Meta(ge=0, description="Answers and readings that did not come in their time.")]
    reconnects: Annotated[int, Meta(ge=0, description="How often the link was opened again.")]


class ToolState(Struct, frozen=True, kw_only=True):
    """A tool by which the room navigates, and what its tracker has to say of it."""

    name: Annotated[str, Meta(description="The tool's name, as its tracker has it.")]
    is_seen: Annotated[bool, Meta(description="Whether its newest reading has a pose.")]
    said: Annotated[str, Meta(description="Why there is no pose, or what is amiss with it, and what to do.")]


class ConditionState(Struct, frozen=True, kw_only=True):
    """What a device says of itself; null where it does not say."""

    age_s: Annotated[float, Meta(ge=0, description="How long ago it said so.")]
    battery_v: Annotated[float | None, Meta(description="Voltage of its battery.")]
    battery_low: Annotated[bool | None, Meta(description="Whether it asks for another battery.")]
    board_degc: Annotated[float | None, Meta(description="Temperature of its electronics, degrees Celsius.")]
    detector_degc: Annotated[float | None, Meta(description="Temperature of its detector, degrees Celsius.")]
    high_voltage_v: Annotated[float | None, Meta(description="Bias of its detector.")]
    alarm: Annotated[bool | None, Meta(description="Whether an alarm of its own is on.")] = None
