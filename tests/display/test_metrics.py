"""Prometheus reads what the room and its node have counted."""

import msgspec
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from acquisition.board import Board
from acquisition.estimate.localising import Localiser
from devices.dicom.account import DURABLE_BOUNDS_S, Account
from devices.dicom.messages import Figures
from devices.dicom.services.events import Arrival, Cause, Ending, Refusal
from devices.dicom.storage.placement import Kept, StoredObject
from devices.frame_timing import FrameTiming
from devices.readings import DeviceHealth, LinkState
from devices.traffic import Condition, Traffic
from display.app import Exhibits, create_app
from display.hub import Hub
from display.messages.study import StudyList
from display.metrics import RoomCollector
from display.shelf import Shelf
from tests.display.recorded import kept_nowhere, proceed, unjoined, unreported, unswept, untrended
from tests.display.resected import refuse
from tests.display.test_app import HELLO, choose, state


def _arrival(kept: Kept, *, size_bytes: int, took_s: float) -> Arrival:
    stored = StoredObject(name="1.2.dcm", kept=kept, study_uid="1.2.3", size_bytes=size_bytes)
    return Arrival(
        session=1,
        calling_ae="CT",
        address="10.0.0.1",
        object_uid="1.2",
        stored=stored,
        took_s=took_s,
        transfer="00",
    )


def _figures() -> Figures:
    account = Account()
    account.take(_arrival(Kept.NEW, size_bytes=100, took_s=0.004))
    account.take(_arrival(Kept.NEW, size_bytes=200, took_s=0.005))
    account.take(_arrival(Kept.AGAIN, size_bytes=300, took_s=99.0))
    account.take(Refusal(cause=Cause.NETWORK, calling_ae="DOE^JANE", address="10.0.0.1", reason="DOE^JANE"))
    account.take(Ending(session=1, calling_ae="CT", address="10.0.0.1", was_released=True))
    account.take(Ending(session=2, calling_ae="CT", address="10.0.0.1", was_released=False))
    return account.figures(
        associations_open=3,
        free_bytes=5,
        index_waiting=7,
        commitments_waiting=9,
        outbox_waiting=11,
        outbox_since_s=13.5,
    )


def _read(board: Board, hub: Hub, figures: Figures | None) -> dict[tuple[str, ...], float]:
    """Serve the figures and read them with the client's own parser: values by name and labels."""
    exhibits = Exhibits(
        hub=hub,
        shelf=Shelf(),
        hello=lambda: HELLO,
        studies=lambda: StudyList(revision=0, studies=()),
        choose=choose,
        report=unreported,
        frames=unjoined,
        resect=refuse,
        proceed=proceed,
        journal=kept_nowhere(),
        trend=untrended(),
        path=unswept(),
        clock=lambda: 10.0,
    )
    collector = RoomCollector(
        board=board,
        localiser=Localiser(clock=lambda: 10.0),
        hub=hub,
        figures=lambda: figures,
        clock=lambda: 10.0,
    )
    with TestClient(create_app(exhibits, collector=collector), base_url="http://127.0.0.1") as client:
        response = client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert client.get("/metrics", headers={"host": "attacker.example"}).status_code == 403
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_the_room_is_read_as_it_stands() -> None:
    """Tallies, ages, states of devices and displays are those of the board and the hub."""
    board, hub = Board(), Hub()
    board.tally.readings, board.tally.frames = 12, 34
    board.delivered_s["gamma"] = 9.5
    board.link(DeviceHealth(device="gamma", state=LinkState.SILENT, since_s=0.0, detail="DOE^JANE", rejected=2))
    hub.publish(state(1))
    hub.displays = 2
    read = _read(board, hub, None)
    assert read["radionav_readings_total",] == 12
    assert read["radionav_frames_total",] == 34
    assert read["radionav_displays",] == 2
    assert read["radionav_feed_age_seconds",] == 10.0 - state(1).server_monotonic_s
    assert read["radionav_device_reading_age_seconds", "gamma"] == 0.5
    assert read["radionav_device_state", "gamma", "silent"] == 1
    assert read["radionav_device_state", "gamma", "live"] == 0
    assert read["radionav_device_rejected_total", "gamma"] == 2
    assert not any("dicom" in name for name, *_ in read)
    assert not any("frame_jitter" in name or "frames_dropped" in name for name, *_ in read)


def test_how_well_frames_are_timed_is_read() -> None:
    """Of a device that numbers its frames; jitter and uncertainty once there is a line."""
    board = Board()
    for device, jitter_s in (("camera", 0.002), ("other", None)):
        timing = FrameTiming(jitter_s=jitter_s, uncertainty_s=jitter_s and 0.0005, dropped=7)
        board.link(DeviceHealth(device=device, state=LinkState.LIVE, since_s=0.0, timing=timing))
    read = _read(board, Hub(), None)
    assert read["radionav_device_frame_jitter_seconds", "camera"] == 0.002
    assert read["radionav_device_frame_uncertainty_seconds", "camera"] == 0.0005
    assert read["radionav_device_frames_dropped_total", "camera"] == 7
    assert ("radionav_device_frame_jitter_seconds", "other") not in read
    assert read["radionav_device_frames_dropped_total", "other"] == 7


def test_a_links_account_and_the_devices_condition_are_read() -> None:
    """What goes over the link, and what the device says of itself; nothing where it does not say."""
    board = Board()
    board.link(
        DeviceHealth(
            device="gamma",
            state=LinkState.LIVE,
            since_s=0.0,
            reconnects=3,
            traffic=Traffic(received_bytes=1000, frames=20, resyncs=2, timeouts=5),
            condition=Condition(
                told_at_s=1.0, battery_v=1.42, is_battery_low=True, is_alarming=False, board_degc=31.0
            ),
        )
    )
    board.link(DeviceHealth(device="camera", state=LinkState.LIVE, since_s=0.0))
    read = _read(board, Hub(), None)
    assert read["radionav_device_received_bytes_total", "gamma"] == 1000
    assert read["radionav_device_frames_total", "gamma"] == 20
    assert read["radionav_device_resyncs_total", "gamma"] == 2
    assert read["radionav_device_timeouts_total", "gamma"] == 5
    assert read["radionav_device_reconnects_total", "gamma"] == 3
    assert read["radionav_device_battery_volts", "gamma"] == 1.42
    assert read["radionav_device_battery_low", "gamma"] == 1
    assert read["radionav_device_alarm", "gamma"] == 0
    assert read["radionav_device_board_celsius", "gamma"] == 31.0
    assert read["radionav_device_condition_age_seconds", "gamma"] > 0.0
    assert ("radionav_device_detector_celsius", "gamma") not in read
    assert ("radionav_device_received_bytes_total", "camera") not in read
    assert read["radionav_device_reconnects_total", "camera"] == 0


def test_what_a_device_said_of_itself_is_no_figure_once_it_is_gone() -> None:
    """The last voltage of a probe that is silent or lost is not of now; what went over its link stays counted."""
    board = Board()
    condition = Condition(told_at_s=1.0, battery_v=1.42, high_voltage_v=500.0)
    for gone in (LinkState.SILENT, LinkState.LOST, LinkState.CONNECTING):
        board.link(
            DeviceHealth(device="gamma", state=gone, since_s=0.0, traffic=Traffic(frames=20), condition=condition)
        )
        read = _read(board, Hub(), None)
        assert read["radionav_device_frames_total", "gamma"] == 20
        told = ("battery_volts", "bias_volts", "condition_age_seconds")
        assert not [name for name in told if (f"radionav_device_{name}", "gamma") in read]


def test_the_nodes_account_is_read() -> None:
    """Objects, bytes, times, refusals and what waits are those that the node told; buckets add up."""
    read = _read(Board(), Hub(), _figures())
    assert read["radionav_dicom_objects_total", "new"] == 2
    assert read["radionav_dicom_objects_total", "again"] == 1
    assert read["radionav_dicom_received_bytes_total",] == 600
    assert read["radionav_dicom_refused_total", "network"] == 1
    assert read["radionav_dicom_associations_ended_total", "released"] == 1
    assert read["radionav_dicom_associations_ended_total", "broken off"] == 1
    waiting = ("associations_open", "disk_free_bytes", "index_waiting_objects", "commitments_waiting")
    assert [read[f"radionav_dicom_{name}",] for name in waiting] == [3, 5, 7, 9]
    assert read["radionav_dicom_outbox_waiting_objects",] == 11
    assert read["radionav_dicom_outbox_oldest_timestamp_seconds",] == 13.5
    below = [read["radionav_dicom_durable_seconds_bucket", str(bound)] for bound in DURABLE_BOUNDS_S]
    assert below[:4] == [0, 0, 2, 2]
    assert below[-1] == 2
    assert read["radionav_dicom_durable_seconds_bucket", "+Inf"] == 3
    assert read["radionav_dicom_durable_seconds_count",] == 3
    assert read["radionav_dicom_durable_seconds_sum",] == pytest.approx(99.009)


def test_what_nobody_has_counted_is_no_number() -> None:
    """While the node cannot say how many objects wait for their rows there is no such figure."""
    figures = msgspec.structs.replace(_figures(), index_waiting=None)
    assert "radionav_dicom_index_waiting_objects" not in {name for name, *_ in _read(Board(), Hub(), figures)}


def test_no_label_holds_what_a_sender_wrote() -> None:
    """Reasons and titles, in which a name may stand, are in no label."""
    board = Board()
    board.link(DeviceHealth(device="dicom", state=LinkState.LIVE, since_s=0.0, detail="refused: DOE^JANE"))
    assert not any("DOE" in part for key in _read(board, Hub(), _figures()) for part in key)
