"""The service's side of the storage node: starts its process, reads what it says, ends it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from devices.clock import Clock, monotonic
from devices.dicom.child import end, standard_input, start
from devices.dicom.messages import (
    Conflict,
    Failed,
    Figures,
    Impaired,
    Listening,
    Need,
    NodeMessage,
    Refused,
    StudyComplete,
    Workers,
    from_line,
)
from devices.dicom.settings import NodeSettings
from devices.dicom.study import ReceivedStudy
from devices.errors import DeviceUnavailable
from devices.readings import DeviceHealth, LinkState

START_TIME_S = 60.0
"""Longest time until it listens, also on a busy host: one that is given up is started from the beginning."""
END_TIME_S = 1.5
LINE_BYTES = 1 << 26
"""Longest line read: a study of 300,000 objects."""

log = structlog.get_logger()


class StorageNode:
    """A running node, as the service sees it.

    Attributes
    ----------
    device
        Its name in the site file.
    process_id
        Its process.
    figures
        What it last told of itself; None before.
    host, port, tls_port, web_port
        Where it listens; ``tls_port`` is None where it speaks no TLS, ``web_port`` where it speaks no DICOMweb.

    """

    def __init__(self, device: str, listening: Listening, *, process_id: int, clock: Clock) -> None:
        self.device = device
        self.process_id = process_id
        self.host = listening.host
        self.port = listening.port
        self.tls_port = listening.tls_port
        self.web_port = listening.web_port
        self.figures: Figures | None = None
        self._rejected = 0
        self._refusal = ""
        self._shortage = ""
        self._refused_for_space = 0
        self._impairments: dict[Need, str] = {}
        self._changed = asyncio.Event()
        self._clock = clock
        self._since_s = clock()
        self._lost: DeviceUnavailable | None = None
        self._studies: asyncio.Queue[ReceivedStudy | None] = asyncio.Queue()

    @property
    def health(self) -> DeviceHealth:
        """State of the node now.

        While it is live, ``detail`` tells the last association or object that was refused, and ``rejected`` how
        many were since its start: the technologist waits for the study, and the console shows only a number.
        Before it stands what the node lacks: room on the disk, its index, workers.
        """
        lost = str(self._lost).removeprefix(f"{self.device}: ") if self._lost else ""
        return DeviceHealth(
            device=self.device,
            state=LinkState.LOST if self._lost else LinkState.LIVE,
            since_s=self._since_s,
            detail=lost or "; ".join(filter(None, (*self._impairments.values(), self._shortage, self._refusal))),
            rejected=self._rejected,
        )

    async def health_changes(self) -> AsyncGenerator[DeviceHealth, None]:
        """Give the health now and whenever it has changed, to any number of readers; ends after ``LOST``.

        A reader that comes late gets the newest.
        """
        told: DeviceHealth | None = None
        while told is None or told.state is not LinkState.LOST:
            changed, health = self._changed, self.health
            if health == told:
                await changed.wait()
            else:
                told = health
                yield health

    async def studies(self) -> AsyncGenerator[ReceivedStudy, None]:
        """Give each study when it is complete, and again when more of it has come; for one reader.

        Raises
        ------
        DeviceUnavailable
            Where the node's process has ended; start another, it announces every study it finds.

        """
        while True:
            study = await self._studies.get()
            if study is None:
                break
            yield study
        self._studies.put_nowait(None)
        raise self._lost or DeviceUnavailable(self.device, "the storage node has ended")

    def take(self, message: NodeMessage) -> None:
        """Note one message of the process."""
        match message:
            case Conflict():
                log.warning(
                    "two objects with one UID, both kept",
                    device=self.device,
                    kept=message.kept,
                    object_uid=message.object_uid,
                    calling_ae=message.calling_ae,
                    path=message.path,
                )
            case StudyComplete():
                self._studies.put_nowait(
                    ReceivedStudy(
                        study_uid=message.study_uid,
                        calling_ae=message.calling_ae,
                        objects=tuple(map(Path, message.objects)),
                        reason=message.reason,
                        conflicts=message.conflicts,
                    )
                )
            case Refused():
                self._refuse(message)
                log.warning(
                    "refused",
                    device=self.device,
                    calling_ae=message.calling_ae,
                    address=message.address,
                    reason=message.reason,
                )
            case Impaired():
                self._impair(message)
            case Workers():
                self._note_workers(message)
            case Figures():
                self.figures = message
                # what is told singly is some of what was refused
                if self._count_refused(sum(message.refused.values())):
                    self._tell()
            case Failed():
                self.lose(message.reason)
            case Listening():
                pass

    def _refuse(self, message: Refused) -> None:
        self._count_refused(message.total)
        who = f"{message.calling_ae} at {message.address}" if message.calling_ae else message.address
        if Need.DISK not in self._impairments:
            self._refusal = f"refused: {who or 'a sender without an address'}: {message.reason}"
        self._tell()

    def _count_refused(self, total: int) -> bool:
        """Take how many were refused since the node began, unless more are known of; whether it is news."""
        more = max(0, total - self._rejected)
        self._rejected += more
        if Need.DISK in self._impairments:
            self._refused_for_space += more
        return more > 0

    def _impair(self, message: Impaired) -> None:
        self._impairments.pop(message.what, None)
        if message.reason:
            self._impairments[message.what] = message.reason
            log.warning("impaired", device=self.device, what=str(message.what), reason=message.reason)
        else:
            log.info("well again", device=self.device, what=str(message.what))
            if message.what is Need.DISK and self._refused_for_space:
                self._refusal = f"{self._refused_for_space} refused while the disk was full: send them again"
                self._refused_for_space = 0
        self._tell()

    def _note_workers(self, message: Workers) -> None:
        if message.missing:
            self._shortage = f"{message.missing} of its workers missing: {message.reason}"
            log.warning("workers missing", device=self.device, missing=message.missing, reason=message.reason)
        else:
            self._shortage = ""
            log.info("every worker is there again", device=self.device)
        self._tell()

    def lose(self, reason: str) -> None:
        """Note that the process has ended; the first reason given is kept."""
        if self._lost is None:
            self._lost = DeviceUnavailable(self.device, reason)
            self._since_s = self._clock()
            self._tell()
            self._studies.put_nowait(None)

    def _tell(self) -> None:
        """Wake everybody who waits for a change; the next change has an event of its own."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


@asynccontextmanager
async def run_node(
    settings: NodeSettings, *, device: str = "dicom", clock: Clock = monotonic
) -> AsyncIterator[StorageNode]:
    """Run the storage node in a process of its own, ended within two seconds on the way out.

    Raises
    ------
    DeviceUnavailable
        Where it cannot listen (port in use, folder not writable), with the reason in words.

    """
    process = await start(
        "devices.dicom",
        settings.beside(Path.cwd()),
        longest_line_bytes=LINE_BYTES,
        process_group=0,  # Ctrl-C in the terminal is for the service, which then ends the node in order
    )
    following: asyncio.Task[None] | None = None
    try:
        node = await _started(process, device=device, clock=clock)
        following = asyncio.create_task(_follow(process, node), name=f"{device} messages")
        yield node
    finally:
        await end(process, within_s=END_TIME_S)
        await (following if following is not None else _drain(process))


async def _started(process: asyncio.subprocess.Process, *, device: str, clock: Clock) -> StorageNode:
    try:
        async with asyncio.timeout(START_TIME_S):
            await standard_input(process).drain()
            message = await _next_message(process)
    except (TimeoutError, ConnectionError) as exc:
        raise DeviceUnavailable(device, f"the storage node did not start within {START_TIME_S:g} s") from exc
    match message:
        case Listening():
            log.info("listening", device=device, host=message.host, port=message.port)
            return StorageNode(device, message, process_id=process.pid, clock=clock)
        case Failed():
            raise DeviceUnavailable(device, message.reason)
        case _:
            raise DeviceUnavailable(device, "the storage node ended before it listened; see its error output")


async def _follow(process: asyncio.subprocess.Process, node: StorageNode) -> None:
    while (message := await _next_message(process)) is not None:
        node.take(message)
    code = await process.wait()
    node.lose(f"the storage node's process has ended (exit code {code}): it is started again")


async def _next_message(process: asyncio.subprocess.Process) -> NodeMessage | None:
    if process.stdout is None:  # asked for above
        raise RuntimeError("the node's process has no standard output")
    while line := await process.stdout.readline():
        try:
            return from_line(line)
        except msgspec.DecodeError:
            log.exception("not a message of the storage node", line=line[:200])
    return None


async def _drain(process: asyncio.subprocess.Process) -> None:
    # to the end of the output, so that its pipe is closed
    while await _next_message(process) is not None:
        pass
