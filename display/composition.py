"""What a display shows, put together from what is known now."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import msgspec

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.rates import MeasuredRate, measure_rate
from devices.frame_timing import FrameTiming
from devices.readings import DeviceHealth, LinkState, PoseReading
from devices.traffic import Condition
from display.device_messages import ConditionState, ToolState, TrafficState
from display.messages import DeviceLink, DeviceState, RateState, TimingState
from display.study_messages import FramesApart, SeriesEntry, StudyEntry, StudyList
from display.volume_messages import StudyState, SurfaceState, VolumeState

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


def _finite(rate_cps: float) -> float | None:
    return rate_cps if isfinite(rate_cps) else None


def show_rate(
    board: Board, probe: str, *, integration_s: float, background_cps: float | None, now_s: float
) -> RateState | None:
    """Show the rate of the probe in hand; None before its first reading."""
    measured: MeasuredRate | None = measure_rate(board.newest_counts(probe, integration_s=integration_s))
    if measured is None:
        return None
    return RateState(
        device=probe,
        rate_cps=_finite(measured.rate_cps),
        # beyond correction all that is certain is that there was more than was counted
        low_cps=measured.low_cps if isfinite(measured.low_cps) else measured.counts / measured.integration_s,
        high_cps=_finite(measured.high_cps),
        counts=measured.counts,
        integration_s=measured.integration_s,
        dead_fraction=measured.dead_fraction,
        background_cps=background_cps,
        status=measured.status.value,
        age_s=max(0.0, now_s - measured.end_s),
        time_constant_s=measured.time_constant_s,
    )


def show_study(
    archived: ArchivedStudy,
    *,
    anatomy: VolumeState | None,
    activity: VolumeState | None,
    surfaces: tuple[SurfaceState, ...],
) -> StudyState:
    """Show the study in use and where its volumes can be fetched."""
    study = archived.study
    return StudyState(
        study_uid=study.study_uid,
        patient_id=study.patient_id,
        patient_name=study.patient_name,
        description=study.description,
        taken_at_utc=study.taken_at.isoformat() if study.taken_at else None,
        joined_by=study.joined_by,
        anatomy=anatomy,
        activity=activity,
        surfaces=surfaces,
    )


def list_studies(archive: StudyArchive) -> StudyList:
    """List what came in and what was made of it, newest first."""
    in_use = archive.in_use
    return StudyList(
        revision=archive.revision,
        studies=tuple(
            StudyEntry(
                study_uid=archived.received.study_uid,
                patient_id=archived.study.patient_id,
                patient_name=archived.study.patient_name,
                description=archived.study.description,
                taken_at_utc=archived.study.taken_at.isoformat() if archived.study.taken_at else None,
                received_from=archived.received.calling_ae,
                objects=len(archived.received.objects),
                conflicts=archived.received.conflicts,
                in_use=archived is in_use,
                usable=archived.is_usable,
                joined_by=archived.study.joined_by,
                apart=tuple(FramesApart(one_uid=one, other_uid=other) for one, other in archived.study.apart),
                series=tuple(
                    SeriesEntry(
                        series_uid=series.series_uid,
                        modality=series.modality,
                        description=series.description,
                        objects=series.objects,
                        accepted=series.accepted,
                        reason=series.reason,
                    )
                    for series in archived.study.series
                ),
            )
            for archived in archive.newest_first()
        ),
    )
