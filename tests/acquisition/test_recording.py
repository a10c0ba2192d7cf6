"""The black box: what came in, in order, readable without this project, also after a crash."""

import io
import json
import struct
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader, make_reader
from mcap.writer import Writer

from acquisition.recording import CHUNK_BYTES, Recorder, record
from devices.clock import monotonic
from devices.dicom.study import ReceivedStudy
from devices.readings import CountReading, PoseReading, PoseStatus
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from tests.display.test_composer import estimate
from tests.display.test_sentences import KNOWN

POSE = RigidTransform.from_quaternion((0.5, 0.5, 0.5, 0.5), (1.25, -2.5, 3.75), to=Frame.TRACKER, from_=Frame.TOOL)


def count(at_s: float, counts: int = 7) -> CountReading:
    return CountReading(
        device="gamma", taken_at_s=at_s, real_time_s=0.1, live_time_s=0.09, counts=counts, dead_time_s=5e-6
    )


def pose(at_s: float, *, is_seen: bool = True) -> PoseReading:
    return PoseReading(
        device="camera",
        tool="Probe",
        taken_at_s=at_s,
        tracker_from_tool=POSE if is_seen else None,
        status=PoseStatus.OK if is_seen else PoseStatus.MISSING,
        error_mm=0.2 if is_seen else None,
    )


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def messages(path: Path) -> list[tuple[str, int, dict[str, Any]]]:
    """Topic, sequence number and content by mcap's own reader, in the file's order."""
    with path.open("rb") as stream:
        reader = make_reader(stream)
        found = reader.iter_messages(log_time_order=False)
        return [(channel.topic, message.sequence, json.loads(message.data)) for _, channel, message in found]


def streamed(raw: bytes) -> list[int]:
    """Sequence numbers that a stream reader finds until the bytes end."""
    found: list[int] = []
    try:
        for _, _, message in NonSeekingReader(io.BytesIO(raw)).iter_messages(log_time_order=False):
            found.append(message.sequence)
    except (McapError, EOFError, struct.error):
        return found
    return found


def test_all_that_came_is_read_back_in_its_order(tmp_path: Path) -> None:
    """Counts, poses, a pose that was not there and a study, with units in their names."""
    study = ReceivedStudy(study_uid="1.1", calling_ae="CT1", objects=(Path("a"), Path("b")), reason="complete")
    with record(tmp_path, simulated=False) as recorder:
        recorder.count(count(1.0))
        recorder.pose(pose(1.05))
        recorder.pose(pose(1.1, is_seen=False))
        recorder.study(study)
        recorder.count(replace(count(0.5), time_constant_s=2.0))
    found = messages(only_file(tmp_path))
    assert [(topic, sequence) for topic, sequence, _ in found] == [
        ("/counts/gamma", 1),
        ("/poses/camera/Probe", 2),
        ("/poses/camera/Probe", 3),
        ("/studies", 4),
        ("/counts/gamma", 5),
    ]
    assert found[0][2] == {
        "taken_at_s": 1.0,
        "real_time_s": 0.1,
        "live_time_s": 0.09,
        "counts": 7,
        "dead_time_s": 5e-6,
        "status": "ok",
        "time_constant_s": 0.0,
    }
    assert found[4][2]["time_constant_s"] == 2.0
    seen, missing = found[1][2], found[2][2]
    back = RigidTransform.from_quaternion(
        seen["quaternion_wxyz"], seen["translation_mm"], to=Frame.TRACKER, from_=Frame.TOOL
    )
    assert np.allclose(back.matrix, POSE.matrix, atol=1e-12)
    assert (seen["error_mm"], seen["status"]) == (0.2, "ok")
    assert (missing["quaternion_wxyz"], missing["translation_mm"], missing["status"]) == (None, None, "missing")
    assert found[3][2].pop("at_s") > 0
    assert found[3][2] == {"study_uid": "1.1", "calling_ae": "CT1", "reason": "complete", "objects": 2}


def test_messages_carry_the_time_at_which_they_were_taken(tmp_path: Path) -> None:
    """A reading of ten seconds ago is logged ten seconds ago, in UTC."""
    with record(tmp_path, simulated=False) as recorder:
        recorder.count(count(monotonic() - 10.0))
        now_s = datetime.now(tz=UTC).timestamp()
    with only_file(tmp_path).open("rb") as stream:
        ((_, _, message),) = make_reader(stream).iter_messages()
    assert message.log_time / 1e9 == pytest.approx(now_s - 10.0, abs=1.0)


@pytest.mark.parametrize(("simulated", "kind"), [(True, "simulated"), (False, "session")])
def test_a_simulated_recording_says_so(tmp_path: Path, simulated: bool, kind: str) -> None:  # noqa: FBT001 - a parameter of the table
    """In its name and inside, so that nobody takes it for a patient."""
    with record(tmp_path, simulated=simulated):
        pass
    path = only_file(tmp_path)
    assert path.name.startswith(f"{kind}-")
    with path.open("rb") as stream:
        (metadata,) = make_reader(stream).iter_metadata()
    assert metadata.metadata == {"simulated": str(simulated).lower(), "replayed": "false"}


def test_a_crash_costs_one_chunk_at_most(tmp_path: Path) -> None:
    """What a killed service leaves is on disk up to its last chunk, and found by a stream reader."""
    with record(tmp_path, simulated=False) as recorder:
        for number in range(4000):
            recorder.count(count(0.1 * number))
        left = only_file(tmp_path).read_bytes()  # as if it were killed now: nothing was finished or closed
    found = streamed(left)
    assert found == list(range(1, len(found) + 1))
    record_bytes = 150  # a count with its header
    assert 4000 - len(found) <= CHUNK_BYTES / record_bytes + 1


def test_half_a_file_is_read_to_its_last_whole_chunk(tmp_path: Path) -> None:
    """A file torn anywhere gives what was written before the tear, and nothing that was not."""
    with record(tmp_path, simulated=False) as recorder:
        for number in range(4000):
            recorder.count(count(0.1 * number, counts=number))
    whole = only_file(tmp_path).read_bytes()
    assert len(streamed(whole)) == 4000
    lengths = [len(streamed(whole[: int(len(whole) * share)])) for share in (0.001, 0.3, 0.5, 0.8)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 0
    assert 0 < lengths[2] < 4000


def test_the_file_is_finished_when_the_service_fails(tmp_path: Path) -> None:
    """An error in the service leaves a recording with its index, and goes on its way."""

    def fail(recorder: Recorder) -> None:
        recorder.count(count(1.0))
        raise RuntimeError("service")

    with pytest.raises(RuntimeError, match="service"), record(tmp_path, simulated=False) as recorder:
        fail(recorder)
    assert len(messages(only_file(tmp_path))) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    """Readings go on being taken, and the recorder says that it records no more and what to do."""
    stream = Path("/dev/full").open("wb")  # noqa: SIM115 - the recorder closes it
    recorder = Recorder(Writer(stream, chunk_size=1024), stream=stream)
    for number in range(100):
        recorder.count(count(float(number)))
    recorder.close()
    assert stream.closed
    assert "make room on the disk" in recorder.failure


def test_what_a_person_marks_is_recorded_with_its_time(tmp_path: Path) -> None:
    """Marks, counts and answers after an excision stand among the readings that they rest on."""
    with record(tmp_path, simulated=False) as recorder:
        recorder.count(count(1.0))
        recorder.resection(1.2, {"event": "removed", "target": "node"})
    _, (topic, _, marked) = messages(only_file(tmp_path))
    assert topic == "/resection"
    assert marked == {"at_s": 1.2, "event": "removed", "target": "node"}


def test_an_estimate_is_recorded_whatever_its_numbers(tmp_path: Path) -> None:
    """What is no number is null: the recording goes on, and so does the room."""
    with record(tmp_path, simulated=False) as recorder:
        recorder.asked()
        recorder.estimate(replace(KNOWN, background_cps=np.inf))
        nowhere = replace(estimate(), centre_mm=np.full(3, np.nan), presence=np.nan)
        recorder.estimate(replace(KNOWN, targets=(nowhere,)))
        recorder.count(count(1.0))
    asked, one, other, counted = messages(only_file(tmp_path))
    assert [topic for topic, _, _ in (asked, one, other, counted)] == [
        "/asked", "/estimates", "/estimates", "/counts/gamma",
    ]  # fmt: skip
    assert one[2]["background_cps"] is None
    assert one[2]["targets"][0]["centre_mm"] == KNOWN.targets[0].centre_mm.tolist()
    (target,) = other[2]["targets"]
    assert (target["centre_mm"], target["presence"]) == (None, None)
