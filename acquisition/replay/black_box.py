"""Reads a recording back, as ``acquisition.recording`` wrote it, up to where it is damaged."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec
from mcap.exceptions import McapError
from mcap.records import Channel, Header, Message, Metadata
from mcap.stream_reader import StreamReader
from zstandard import ZstdError

from acquisition.recording import PROFILE, SESSION
from devices.readings import CountReading, CountStatus, PoseReading, PoseStatus
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform

GREATEST_RECORD = 64 * 1024 * 1024
"""Bytes of a record; a damaged length would have all memory taken."""

HEAD_MESSAGES = 2000
"""Looked through before anything is played: the files that the room worked by, and what its devices are called."""

DAMAGE = (McapError, EOFError, OSError, ValueError, struct.error, zlib.error, ZstdError, MemoryError)
"""What reading a torn, shortened or altered file ends in."""

COUNTS, POSES = "/counts/", "/poses/"
"""How the topics of readings begin; the device's name follows, and of a pose the tool's."""

FOREIGN = (KeyError, TypeError, ValueError, NavigationError)
"""What a message that is none of ours ends in."""


class RecordingUnusable(Exception):
    """Raised where a recording cannot be played; the sentence names the file and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One message: its topic, when it came by the recording's own clock (s), what it tells, its reading."""

    topic: str
    at_s: float
    told: Mapping[str, Any]
    reading: CountReading | PoseReading | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands at the beginning of a recording.

    Attributes
    ----------
    is_simulated
        Whether its devices were simulated.
    starts_at_s, utc_at_start
        When it begins, by its own clock (s) and by the wall's.
    files
        Text of the files that the room worked by, by their role.
    probes, trackers
        Names of the devices that deliver at the beginning.

    """

    is_simulated: bool
    starts_at_s: float
    utc_at_start: datetime
    files: Mapping[str, str]
    probes: frozenset[str]
    trackers: frozenset[str]


class Recording:
    """A recording on disk, to be read from its beginning as often as it takes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = ""
        """Why it was not read to its end; empty where it was, or has not been read."""
        self.head = self._read_head()

    def messages(self) -> Iterator[Recorded]:
        """Give every message in the order in which it was written, up to the end or to where it is damaged.

        Raises
        ------
        RecordingUnusable
            Where it cannot be opened, or is none of ours.

        """
        for _, message in self._stamped():
            yield message

    def _stamped(self) -> Iterator[tuple[int, Recorded]]:
        """Give each with its wall time too, ns."""
        self.damage = ""
        try:
            stream = self.path.open("rb")
        except OSError as exc:
            raise RecordingUnusable(f"{self.path}: cannot be opened: {exc.strerror}") from exc
        with stream:
            self._refuse_foreign(stream)
            yield from self._read(stream)

    def _read(self, stream: IO[bytes]) -> Iterator[tuple[int, Recorded]]:
        topics: dict[int, str] = {}
        first_s = newest_s = None
        records = _records(stream)
        while True:
            try:
                record = next(records)
                if isinstance(record, Channel):
                    topics[record.id] = record.topic
                if not isinstance(record, Message):
                    continue
                message = _message_of(topics[record.channel_id], record)
                if message is None:
                    continue
            except StopIteration:
                return
            except (*DAMAGE, *FOREIGN) as exc:
                at = (
                    ""
                    if newest_s is None or first_s is None
                    else f" {newest_s - first_s:.0f} s after its beginning"
                )
                self.damage = f"it is torn or damaged{at} ({type(exc).__name__})"
                return
            newest_s = message.at_s
            first_s = newest_s if first_s is None else first_s
            yield record.log_time, message

    def _refuse_foreign(self, stream: IO[bytes]) -> None:
        try:
            header = next(_records(stream), None)
        except DAMAGE as exc:
            raise RecordingUnusable(f"{self.path}: no recording, or damaged from its beginning") from exc
        if not isinstance(header, Header) or header.profile != PROFILE:
            raise RecordingUnusable(f"{self.path}: no recording of radionav: give one of its own, *.mcap")
        stream.seek(0)

    def _read_head(self) -> Head:
        head = list(islice(self._stamped(), HEAD_MESSAGES))
        is_simulated = self._is_simulated()
        if not head:
            raise RecordingUnusable(f"{self.path}: nothing can be read from it: {self.damage or 'it is empty'}")
        log_time_ns, first = head[0]
        messages = [message for _, message in head]
        return Head(
            is_simulated=is_simulated,
            starts_at_s=first.at_s,
            utc_at_start=datetime.fromtimestamp(log_time_ns / 1e9, tz=UTC),
            files=_files(messages),
            probes=_devices(messages, COUNTS),
            trackers=_devices(messages, POSES),
        )

    def _is_simulated(self) -> bool:
        """Read whether it says that it was simulated; one that does not say is none of ours."""
        with self.path.open("rb") as stream:
            try:
                for record in _records(stream):
                    if isinstance(record, Metadata) and record.name == SESSION:
                        return {"true": True, "false": False}[record.metadata["simulated"]]
            except (*DAMAGE, KeyError):
                pass
        raise RecordingUnusable(f"{self.path}: does not say whether it was simulated: it is not played")


def _records(stream: IO[bytes]) -> Iterator[object]:
    return iter(StreamReader(stream, validate_crcs=True, record_size_limit=GREATEST_RECORD).records)


def _message_of(topic: str, record: Message) -> Recorded | None:
    """Read a message; None for one of former versions that tells no time, which nothing is played from."""
    told = msgspec.json.decode(record.data)
    reading: CountReading | PoseReading | None = None
    if topic.startswith(COUNTS):
        reading = _count_of(topic, told)
        at_s = reading.taken_at_s + reading.real_time_s
    elif topic.startswith(POSES):
        reading = _pose_of(topic, told)
        at_s = reading.taken_at_s
    elif "at_s" in told:
        at_s = float(told["at_s"])
    else:
        return None
    return Recorded(topic=topic, at_s=at_s, told=told, reading=reading)


def _count_of(topic: str, told: Mapping[str, Any]) -> CountReading:
    status = CountStatus(told["status"])
    return CountReading(device=topic.removeprefix(COUNTS), **{**told, "status": status})


def _pose_of(topic: str, told: Mapping[str, Any]) -> PoseReading:
    device, tool = topic.removeprefix(POSES).split("/", 1)
    pose = None
    if told["quaternion_wxyz"] is not None:
        pose = RigidTransform.from_quaternion(
            told["quaternion_wxyz"], told["translation_mm"], to=Frame.TRACKER, from_=Frame.TOOL
        )
    return PoseReading(
        device=device,
        tool=tool,
        taken_at_s=told["taken_at_s"],
        tracker_from_tool=pose,
        status=PoseStatus(told["status"]),
        error_mm=told["error_mm"],
        said=told.get("said", ""),  # older recordings have none
    )


def _files(messages: list[Recorded]) -> dict[str, str]:
    """Give the first text of each role; what is none is left out."""
    told = [(each.told.get("role"), each.told.get("text")) for each in messages if each.topic == "/files"]
    return {role: text for role, text in reversed(told) if isinstance(role, str) and isinstance(text, str)}


def _devices(messages: list[Recorded], prefix: str) -> frozenset[str]:
    return frozenset(each.topic.split("/")[2] for each in messages if each.topic.startswith(prefix))
