"""What Prometheus reads of a room: how much has come in, how old it is, how its devices and its storage node are.

Read when it is asked for, from what is there anyhow. Labels name devices and kinds of events,
and nothing of a patient.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from operator import attrgetter
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from acquisition.board import Board
from acquisition.estimate.localising import Localiser
from devices.clock import Clock
from devices.dicom.account import DURABLE_BOUNDS_S
from devices.dicom.messages import Figures
from devices.readings import DeviceHealth, LinkState
from display.hub import Hub

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class RoomCollector(Collector):
    """Reads a room.

    Parameters
    ----------
    board, localiser, hub
        What is known, what is believed, what is shown.
    figures
        Gives what the storage node last told; None where there is none.
    clock
        Host monotonic clock.

    """

    def __init__(
        self,
        *,
        board: Board,
        localiser: Localiser,
        hub: Hub,
        figures: Callable[[], Figures | None],
        clock: Clock,
    ) -> None:
        self._board = board
        self._localiser = localiser
        self._hub = hub
        self._figures = figures
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Give every metric as it stands."""
        yield from self._counted()
        yield from self._shown()
        yield from self._devices()
        figures = self._figures()
        if figures is not None:
            yield from _of_node(figures)

    def _counted(self) -> Iterator[Metric]:
        tally = self._board.tally
        for name, said, value in (
            ("readings", "Counts read from probes.", tally.readings),
            ("poses", "Poses read from trackers.", tally.poses),
            ("tracked_counts", "Counts that were given the pose of their middle.", tally.tracked_counts),
            ("frames", "Frames made for displays.", tally.frames),
            ("studies", "Studies received, and received again with more.", tally.studies),
        ):
            yield CounterMetricFamily(f"radionav_{name}", said, value=value)

    def _shown(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("radionav_displays", "Displays on the feed.", value=self._hub.displays)
        if self._hub.newest is not None:
            age_s = self._clock() - self._hub.newest.server_monotonic_s
            yield GaugeMetricFamily("radionav_feed_age_seconds", "Age of the newest frame.", value=age_s)
        if self._localiser.newest is not None:
            took_s = self._localiser.newest.update_ms / 1000
            yield GaugeMetricFamily(
                "radionav_posterior_update_seconds",
                "Time that the newest update of the estimate took.",
                value=took_s,
            )

    def _devices(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "radionav_device_state", "1 for the state that a device's link is in.", labels=("device", "state")
        )
        rejected = CounterMetricFamily(
            "radionav_device_rejected", "What came from a device and was not taken.", labels=("device",)
        )
        for device, health in self._board.health.items():
            rejected.add_metric((device,), health.rejected)
            for state in LinkState:
                states.add_metric((device, state.value), health.state is state)
        ages = GaugeMetricFamily(
            "radionav_device_reading_age_seconds", "Age of a device's newest reading.", labels=("device",)
        )
        for device, delivered_s in self._board.delivered_s.items():
            ages.add_metric((device,), self._clock() - delivered_s)
        yield from (states, rejected, ages)
        yield from self._timings()
        yield from _of_links(self._board.health)
        yield from _of_conditions(self._board.health, now_s=self._clock())

    def _timings(self) -> Iterator[Metric]:
        jitters = GaugeMetricFamily(
            "radionav_device_frame_jitter_seconds",
            "Of a device's newest 60 frames about the line through them, RMS.",
            labels=("device",),
        )
        uncertainties = GaugeMetricFamily(
            "radionav_device_frame_uncertainty_seconds", "Of the newest frame's time, RMS.", labels=("device",)
        )
        dropped = CounterMetricFamily(
            "radionav_device_frames_dropped", "Frames that never came, by their numbers.", labels=("device",)
        )
        for device, health in self._board.health.items():
            if (timing := health.timing) is None:
                continue
            dropped.add_metric((device,), timing.dropped)
            if timing.jitter_s is not None and timing.uncertainty_s is not None:
                jitters.add_metric((device,), timing.jitter_s)
                uncertainties.add_metric((device,), timing.uncertainty_s)
        yield from (jitters, uncertainties, dropped)


def _of_links(healths: Mapping[str, DeviceHealth]) -> Iterator[Metric]:
    reconnects = CounterMetricFamily(
        "radionav_device_reconnects", "How often a device's link was opened again.", labels=("device",)
    )
    for device, health in healths.items():
        reconnects.add_metric((device,), health.reconnects)
    yield reconnects
    for name, said, of in (
        ("received_bytes", "Bytes that came over a device's link.", attrgetter("received_bytes")),
        ("frames", "Frames cut of them, refused ones included.", attrgetter("frames")),
        ("resyncs", "Readings before which something counted is lost.", attrgetter("resyncs")),
        ("timeouts", "Answers and readings that did not come in their time.", attrgetter("timeouts")),
    ):
        counter = CounterMetricFamily(f"radionav_device_{name}", said, labels=("device",))
        for device, health in healths.items():
            if health.traffic is not None:
                counter.add_metric((device,), of(health.traffic))
        yield counter


def _of_conditions(healths: Mapping[str, DeviceHealth], *, now_s: float) -> Iterator[Metric]:
    """Give what live devices say of themselves, and how old that is; of one that is gone it holds no longer."""
    told = {
        device: health.condition
        for device, health in healths.items()
        if health.condition is not None and health.state is LinkState.LIVE
    }
    ages = GaugeMetricFamily(
        "radionav_device_condition_age_seconds", "How long ago a device said how it is.", labels=("device",)
    )
    for device, condition in told.items():
        ages.add_metric((device,), now_s - condition.told_at_s)
    yield ages
    for name, said, of in (
        ("battery_volts", "Voltage of a device's battery.", attrgetter("battery_v")),
        ("battery_low", "1 where a device asks for another battery.", attrgetter("is_battery_low")),
        ("alarm", "1 while an alarm of a device's own is on.", attrgetter("is_alarming")),
        ("board_celsius", "Temperature of a device's electronics.", attrgetter("board_degc")),
        ("detector_celsius", "Temperature of a device's detector.", attrgetter("detector_degc")),
        ("bias_volts", "Bias of a device's detector.", attrgetter("high_voltage_v")),
    ):
        gauge = GaugeMetricFamily(f"radionav_device_{name}", said, labels=("device",))
        for device, condition in told.items():
            if (value := of(condition)) is not None:
                gauge.add_metric((device,), value)
        yield gauge


def _of_node(figures: Figures) -> Iterator[Metric]:
    for name, said, value in (
        ("associations_open", "Associations with consoles.", figures.associations_open),
        ("disk_free_bytes", "Room on the disk of received objects.", figures.free_bytes),
        ("index_waiting_objects", "Objects stored and not in the index yet.", figures.index_waiting),
        ("commitments_waiting", "Requests for commitment not reported on yet.", figures.commitments_waiting),
    ):
        yield GaugeMetricFamily(f"radionav_dicom_{name}", said, value=value)
    yield GaugeMetricFamily(
        "radionav_dicom_outbox_waiting_objects",
        "Objects still to be sent to other nodes.",
        value=figures.outbox_waiting,
    )
    if figures.outbox_since_s is not None:
        yield GaugeMetricFamily(
            "radionav_dicom_outbox_oldest_timestamp_seconds",
            "When the oldest order for them was given.",
            value=figures.outbox_since_s,
        )
    for name, said, label, counts in (
        ("associations_ended", "Associations that have ended.", "how", figures.associations_ended),
        ("refused", "Connections, associations, objects and requests refused.", "cause", figures.refused),
        ("objects", "Objects received, by what became of them.", "kept", figures.objects),
    ):
        family = CounterMetricFamily(f"radionav_dicom_{name}", said, labels=(label,))
        for key, count in counts.items():
            family.add_metric((key,), count)
        yield family
    yield CounterMetricFamily(
        "radionav_dicom_received_bytes", "Bytes of received data sets.", value=figures.received_bytes
    )
    bounds = (*map(str, DURABLE_BOUNDS_S), "+Inf")
    durable = HistogramMetricFamily(
        "radionav_dicom_durable_seconds", "From an object's last byte until it was durable."
    )
    durable.add_metric((), list(zip(bounds, accumulate(figures.durable), strict=True)), figures.durable_s)
    yield durable


def expose(collector: Collector) -> bytes:
    """Write what a collector gives as Prometheus reads it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
