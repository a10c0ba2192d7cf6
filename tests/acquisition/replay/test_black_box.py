"""A recording read back: the very readings that were recorded, up to where it is damaged, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mcap.writer import Writer

from acquisition.recording import PROFILE, Recorder, record
from acquisition.replay.black_box import Recording, RecordingUnusable
from devices.dicom.study import ReceivedStudy
from devices.readings import CountReading, PoseReading
from tests.acquisition.test_recording import count, only_file, pose


def recorded(folder: Path, readings: int = 4000, *, simulated: bool = False) -> Path:
    """Record counts a tenth of a second apart."""
    with record(folder, simulated=simulated) as recorder:
        for number in range(readings):
            recorder.count(count(0.1 * number, counts=number))
    return only_file(folder)


def counts(recording: Recording) -> list[int]:
    """The counts of all that can be read."""
    return [each.reading.counts for each in recording.messages() if isinstance(each.reading, CountReading)]


def test_readings_come_back_as_they_were(tmp_path: Path) -> None:
    """Every field of a count, of a pose and of one that was not there, to the last bit, each at its time."""
    given: list[CountReading | PoseReading] = [
        count(1.0),
        pose(1.05),
        replace(pose(1.1, is_seen=False), said="outside the volume: move the camera, or the tool into its volume"),
        count(0.1 + 1.0 / 3.0),
    ]
    with record(tmp_path, simulated=True) as recorder:
        recorder.file("response", "{}")
        for reading in given:
            recorder.count(reading) if isinstance(reading, CountReading) else recorder.pose(reading)
        recorder.study(ReceivedStudy(study_uid="1.1", calling_ae="CT1", objects=(Path("a"),), reason="complete"))
    recording = Recording(only_file(tmp_path))
    found = [message for message in recording.messages() if message.reading is not None]
    for message, reading in zip(found, given, strict=True):
        if isinstance(reading, PoseReading) and reading.tracker_from_tool is not None:
            assert isinstance(message.reading, PoseReading)
            back = message.reading.tracker_from_tool
            assert back is not None
            assert back.matrix.tolist() == reading.tracker_from_tool.matrix.tolist()
        else:
            assert message.reading == reading
    assert [message.at_s for message in found] == [1.1, 1.05, 1.1, pytest.approx(0.1 + 1.0 / 3.0 + 0.1)]
    head = recording.head
    assert (head.is_simulated, head.probes, head.trackers) == (True, frozenset({"gamma"}), frozenset({"camera"}))
    assert head.files == {"response": "{}"}
    assert recording.damage == ""


def test_a_file_that_is_none_is_left_out_of_the_head(tmp_path: Path) -> None:
    """A role or text that is none, as another program may write: the first that is one stands."""
    with record(tmp_path, simulated=True) as recorder:
        for told in ({"role": ["tip"], "text": "{}"}, {"role": "tip"}, {"role": "tip", "text": 7}):
            recorder._write_now("/files", told)
        recorder.file("response", "{}")
        recorder.file("response", "[]")
    assert Recording(only_file(tmp_path)).head.files == {"response": "{}"}


def test_a_torn_recording_is_read_to_its_tear(tmp_path: Path) -> None:
    """What was written before is all there, and a sentence says that more was not."""
    path = recorded(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    recording = Recording(path)
    found = counts(recording)
    assert found == list(range(len(found)))
    assert 0 < len(found) < 4000
    assert "torn or damaged" in recording.damage


def test_an_altered_recording_is_read_to_where_it_is_altered(tmp_path: Path) -> None:
    """One byte that is another gives no reading that was not: its chunk is left out, and all after it."""
    path = recorded(tmp_path)
    whole, damages = path.read_bytes(), list[str]()
    for at in range(len(whole) // 40, len(whole), len(whole) // 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        recording = Recording(path)
        found = counts(recording)
        assert found == list(range(len(found)))
        assert len(found) == 4000 or recording.damage
        damages.append(recording.damage)
    assert any(damages)  # how much of a file is chunks, and not the index behind them, differs


def write_text(path: Path) -> None:
    """Write a file that is no MCAP file."""
    path.write_text("time,counts\n1,7\n" * 100)


def write_nothing(path: Path) -> None:
    """Write an empty file."""
    path.write_bytes(b"")


def write_another_profile(path: Path) -> None:
    """Write an MCAP file of another program."""
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start(profile="ros2", library="rosbag2")
        writer.finish()  # type: ignore[no-untyped-call]


def write_no_origin(path: Path) -> None:
    """Write one that does not say whether it was simulated."""
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start(profile=PROFILE, library="radionav")
        recorder = Recorder(writer, stream=stream)
        recorder.count(count(1.0))
        recorder.close()


def write_no_message(path: Path) -> None:
    """Write one that holds nothing."""
    with record(path.parent / "empty", simulated=False):
        pass
    only_file(path.parent / "empty").rename(path)


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (write_text, "no recording"),
        (write_nothing, "no recording"),
        (write_another_profile, "no recording of radionav"),
        (write_no_origin, "does not say whether it was simulated"),
        (write_no_message, "nothing can be read"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, write: Callable[[Path], None], why: str) -> None:
    """Each with the file's name and a sentence."""
    path = tmp_path / "some.mcap"
    write(path)
    with pytest.raises(RecordingUnusable, match=why) as refused:
        Recording(path)
    assert str(path) in str(refused.value)


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(RecordingUnusable, match=r"none\.mcap: cannot be opened: No such file"):
        Recording(tmp_path / "none.mcap")
