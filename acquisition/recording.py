"""The black box: every reading on disk before anybody uses it.

One MCAP file a session (mcap.dev/spec): JSON messages with the schema inside, readable without this project
and, by its stream reader, up to the last whole chunk after a crash. Beside what devices deliver stands all that
else went into the estimate, and what came out of it, so that ``acquisition.replay`` comes to the same.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import IO, Any

import numpy as np
import structlog
from mcap.writer import Writer

from acquisition.studies import SameFrames
from devices.clock import Clock, epoch_s, monotonic
from devices.dicom.study import ReceivedStudy
from devices.readings import CountReading, PoseReading
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.hotspots import NamedPlace

PROFILE = "radionav"
"""Whose messages they are, as the file's header says."""

SESSION = "session"
"""Name of the metadata record that says whether the session was simulated."""

CHUNK_BYTES = 16384
"""About a second of a session: what a crash may cost."""

log = structlog.get_logger()

_ANY_OBJECT = json.dumps({"type": "object"}).encode()


class Recorder:
    """Writes what devices deliver, in the order in which it came.

    A disk that is full or gone ends the recording, never the room: ``failure`` says so from then on.
    """

    def __init__(self, writer: Writer, *, stream: IO[bytes], clock: Clock = monotonic) -> None:
        self.failure = ""
        self._writer = writer
        self._stream = stream
        self._clock = clock
        self._channels: dict[str, int] = {}
        self._sequence = 0

    def count(self, reading: CountReading) -> None:
        """Record a count."""
        self._write(
            f"/counts/{reading.device}",
            reading.taken_at_s,
            {
                "taken_at_s": reading.taken_at_s,
                "real_time_s": reading.real_time_s,
                "live_time_s": reading.live_time_s,
                "counts": reading.counts,
                "dead_time_s": reading.dead_time_s,
                "status": reading.status,
                "time_constant_s": reading.time_constant_s,
            },
        )

    def pose(self, reading: PoseReading) -> None:
        """Record a pose, or that there was none."""
        pose = reading.tracker_from_tool
        self._write(
            f"/poses/{reading.device}/{reading.tool}",
            reading.taken_at_s,
            {
                "taken_at_s": reading.taken_at_s,
                "status": reading.status,
                "quaternion_wxyz": None if pose is None else pose.quaternion_wxyz.tolist(),
                "translation_mm": None if pose is None else pose.translation_mm.tolist(),
                "error_mm": reading.error_mm,
                "said": reading.said,
            },
        )

    def study(self, study: ReceivedStudy) -> None:
        """Record that a study came in; its objects stay where the node stored them."""
        message = {"study_uid": study.study_uid, "calling_ae": study.calling_ae, "reason": study.reason}
        self._write_now("/studies", {**message, "objects": len(study.objects)})

    def file(self, role: str, text: str) -> None:
        """Record a file that the room works by, as it is now: ``role`` is what it says, such as ``response``."""
        self._write_now("/files", {"role": role, "text": text})

    def reading(
        self, study: ReceivedStudy, same_frames: Sequence[SameFrames], names: Sequence[NamedPlace]
    ) -> None:
        """Record that a study is read now: from which files, what persons say of its frames, its spots' names."""
        message = {"study_uid": study.study_uid, "calling_ae": study.calling_ae, "reason": study.reason}
        files = [path.name for path in study.objects]
        self._write_now(
            "/reading",
            {
                **message,
                "files": files,
                "same_frames": list(map(asdict, same_frames)),
                "names": list(map(asdict, names)),
            },
        )

    def map(self, told: Mapping[str, Any]) -> None:
        """Record that an estimate begins now: from which study's map, and what persons decided about it."""
        self._write_now("/map", told)

    def asked(self) -> None:
        """Record that all tracked counts that have come until now are being believed."""
        self._write_now("/asked", {})

    def estimate(self, posterior: Posterior) -> None:
        """Record what is believed with them."""
        self._write_now("/estimates", tell_posterior(posterior))

    def resection(self, at_s: float, event: Mapping[str, Any]) -> None:
        """Record what was marked, counted or answered after an excision, at a time of the host's clock."""
        self._write("/resection", at_s, {"at_s": at_s, **event})

    def close(self) -> None:
        """Write what is left and the index, and close the file."""
        try:
            if not self.failure:
                self._writer.finish()  # type: ignore[no-untyped-call]  # mcap leaves its annotation out
            self._stream.close()
        except OSError as exc:  # closing flushes, and a full disk refuses once more
            self._fail(exc)

    def _fail(self, exc: OSError) -> None:
        self.failure = f"nothing is recorded any more ({exc.strerror}): make room on the disk and start again"
        log.error("recording failed", reason=exc.strerror)

    def _write_now(self, topic: str, message: Mapping[str, Any]) -> None:
        at_s = self._clock()
        self._write(topic, at_s, {"at_s": at_s, **message})

    def _write(self, topic: str, taken_at_s: float, message: dict[str, Any]) -> None:
        if self.failure:
            return
        try:
            self._append(topic, taken_at_s, message)
        except OSError as exc:
            self._fail(exc)

    def _append(self, topic: str, taken_at_s: float, message: dict[str, Any]) -> None:
        if topic not in self._channels:
            schema = self._writer.register_schema(name=topic, encoding="jsonschema", data=_ANY_OBJECT)
            self._channels[topic] = self._writer.register_channel(
                topic=topic, message_encoding="json", schema_id=schema
            )
        self._sequence += 1
        at_ns = int(epoch_s(taken_at_s, clock=self._clock) * 1e9)
        self._writer.add_message(
            channel_id=self._channels[topic],
            log_time=at_ns,
            publish_time=at_ns,
            sequence=self._sequence,
            data=json.dumps(message, allow_nan=False).encode(),
        )
        # a whole chunk leaves this process; between chunks there is nothing to flush
        self._stream.flush()


def tell_posterior(posterior: Posterior) -> dict[str, Any]:
    """Tell what is believed; a target that cannot be located has no place, and what is no number is null."""
    return {
        "readings": posterior.readings,
        "restarts": posterior.restarts,
        "is_consistent": posterior.is_consistent,
        "background_cps": _finite(posterior.background_cps),
        "targets": [_tell_target(each) for each in posterior.targets],
    }


def _tell_target(target: TargetEstimate) -> dict[str, Any]:
    placed: dict[str, Any] = {"centre_mm": None, "covariance_mm2": None, "activity_mbq": None}
    if target.is_localisable and np.isfinite(target.centre_mm).all() and np.isfinite(target.covariance_mm2).all():
        placed = {
            "centre_mm": target.centre_mm.tolist(),
            "covariance_mm2": target.covariance_mm2.tolist(),
            "activity_mbq": _finite(target.activity_mbq),
        }
    return {"name": target.name, "kind": target.kind, "presence": _finite(target.presence), **placed}


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None


@contextmanager
def record(
    folder: Path, *, simulated: bool, replayed: bool = False, clock: Clock = monotonic
) -> Iterator[Recorder]:
    """Open a new recording in ``folder``, named by the time and by whether it is simulated, or a replay.

    Raises
    ------
    OSError
        Where the folder or the file cannot be made.

    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = "replay" if replayed else "simulated" if simulated else "session"
    path = folder / f"{kind}-{datetime.now(tz=UTC):%Y%m%dT%H%M%S%fZ}.mcap"
    stream = path.open("xb")
    writer = Writer(stream, chunk_size=CHUNK_BYTES)
    writer.start(profile=PROFILE, library="radionav")
    writer.add_metadata(SESSION, {"simulated": str(simulated).lower(), "replayed": str(replayed).lower()})
    recorder = Recorder(writer, stream=stream, clock=clock)
    try:
        yield recorder
    finally:
        recorder.close()
