"""A device as a display shows it: how its link is, how old what it delivered is, and what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from acquisition.board import Board
from devices.frame_timing import FrameTiming
from devices.readings import DeviceHealth, LinkState, PoseReading
from devices.traffic import Condition
from display.messages.device import ConditionState, ToolState, TrafficState
from display.messages.feed import DeviceLink, DeviceState, TimingState

Kind = Literal["probe", "tracker", "dicom", "recorder", "mqtt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDevice:
    """How a device appears on a display.

    Attributes
    ----------
    kind, label
        What it is, and what to call it.
    primary
        Whether navigation depends on it.
    streams
        Whether it sends readings all the time, so that silence means something.
    stale_after_s
        Age at which its readings are stale, s; None: the one that holds for all.

    """

    kind: Kind
    label: str
    primary: bool
    streams: bool
    stale_after_s: float | None = None


def show_link(name: str, device: ShownDevice, health: DeviceHealth | None) -> DeviceLink:
    """Show one device's link; connecting until its supervisor has said anything."""
    return DeviceLink(
        name=name,
        kind=device.kind,
        label=device.label,
        state=(health.state if health else LinkState.CONNECTING).value,
        detail=health.detail if health else "",
        primary=device.primary,
    )


def show_device(
    name: str, device: ShownDevice, board: Board, *, now_s: float, tools: tuple[str, ...] = ()
) -> DeviceState:
    """Show one device, with the age of what it delivered, and what it says of the tools of navigation."""
    delivered_s, health = board.delivered_s.get(name), board.health.get(name)
    return DeviceState(
        **msgspec.structs.asdict(show_link(name, device, health)),
        age_s=None if delivered_s is None else max(0.0, now_s - delivered_s),
        stale_after_s=device.stale_after_s,
        streams=device.streams,
        timing=_show_timing(health.timing) if health and health.timing else None,
        traffic=_show_traffic(health) if health else None,
        condition=_show_condition(health.condition, now_s) if health and health.condition else None,
        tools=_show_tools(board.tools.get(name, {}), tools) if health and health.state is LinkState.LIVE else (),
    )


def _show_tools(newest: Mapping[str, PoseReading], tools: tuple[str, ...]) -> tuple[ToolState, ...]:
    of_navigation = [newest[tool] for tool in tools if tool in newest]
    return tuple(
        ToolState(name=reading.tool, is_seen=reading.tracker_from_tool is not None, said=reading.said)
        for reading in of_navigation
        if reading.said
    )


def _show_traffic(health: DeviceHealth) -> TrafficState | None:
    if health.traffic is None:
        return None
    return TrafficState(
        received_bytes=health.traffic.received_bytes,
        frames=health.traffic.frames,
        rejected=health.rejected,
        resyncs=health.traffic.resyncs,
        timeouts=health.traffic.timeouts,
        reconnects=health.reconnects,
    )


def _show_condition(condition: Condition, now_s: float) -> ConditionState:
    return ConditionState(
        age_s=max(0.0, now_s - condition.told_at_s),
        battery_v=condition.battery_v,
        battery_low=condition.is_battery_low,
        board_degc=condition.board_degc,
        detector_degc=condition.detector_degc,
        high_voltage_v=condition.high_voltage_v,
        alarm=condition.is_alarming,
    )


def _show_timing(timing: FrameTiming) -> TimingState:
    return TimingState(
        jitter_ms=None if timing.jitter_s is None else 1000 * timing.jitter_s,
        uncertainty_ms=None if timing.uncertainty_s is None else 1000 * timing.uncertainty_s,
        dropped=timing.dropped,
        duplicates=timing.duplicates,
        restarts=timing.restarts,
        reason=timing.reason,
    )
