"""How the outcome of a storage commitment gets to its sender: on an association of its own, or on one of ours."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from enum import Enum, auto
from pathlib import Path
from typing import TypeVar

import structlog

from devices.clock import Clock
from devices.dicom.services import docket
from devices.dicom.services.commands import STATUS, Field, Status, encode_request
from devices.dicom.services.commitment import PUSH_MODEL_INSTANCE, encode_report
from devices.dicom.services.negotiation import EXPLICIT, IMPLICIT, STORAGE_COMMITMENT
from devices.dicom.services.provider import Provider, Served
from devices.dicom.services.requestor import CallFailed, call
from devices.dicom.settings import Sender
from devices.dicom.storage.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from devices.dicom.upper_layer.associate import AssociateRequest, ProposedContext, RoleSelection
from devices.dicom.upper_layer.timing import Timing

CONTEXT_ID, MESSAGE_ID = 1, 1

T = TypeVar("T")

log = structlog.get_logger()


class Outcome(Enum):
    """What became of an attempt to report."""

    DELIVERED = auto()
    BUSY = auto()
    """The sender has an association, and is in the middle of a message or has just begun."""
    FAILED = auto()


class Reports:
    """Delivers reports, one attempt at a time.

    A report goes to the address that the sender's rule names; else on an association that the sender has open with
    the service accepted.

    Parameters
    ----------
    provider
        The sessions and the settings.
    disk
        Runs what waits for the disk.
    timing
        Of associations that are opened to report.
    clock
        Host monotonic clock.

    """

    def __init__(self, provider: Provider, *, disk: Executor, timing: Timing, clock: Clock) -> None:
        self._provider = provider
        self._disk = disk
        self._timing = timing
        self._clock = clock

    async def deliver(self, path: Path, calling_ae: str) -> Outcome:
        """Report a transaction by its file, to whom it belongs.

        Raises
        ------
        UnreadableTransaction, OSError
            Where its file cannot be read.

        """
        sender = self._provider.settings.find_sender(calling_ae)
        if sender is not None and sender.commitment_host is not None:
            return await self._call(sender, sender.commitment_host, path)
        outcome = Outcome.FAILED
        for session in list(self._provider.sessions):
            if session.calling_ae != calling_ae or session.commitment_context is None:
                continue
            if session.is_reachable:
                return await self._report(session, session.commitment_context, path)
            outcome = Outcome.BUSY
        return outcome

    async def _report(self, session: Served, context_id: int, path: Path) -> Outcome:
        syntax = session.transfer_syntaxes[context_id]
        event, data_set = await self._on_disk(lambda: encode_report(docket.read(path), transfer_syntax=syntax))
        if not session.is_reachable:  # it has begun a message meanwhile, or ended
            return Outcome.BUSY
        status = await session.ask(context_id, lambda message_id: _request(event, message_id), data_set)
        return _told(path, status)

    async def _call(self, sender: Sender, host: str, path: Path) -> Outcome:
        request = AssociateRequest(
            called_ae=sender.ae_title,
            calling_ae=self._provider.settings.ae_title,
            contexts=(
                ProposedContext(
                    context_id=CONTEXT_ID,
                    abstract_syntax=STORAGE_COMMITMENT,
                    transfer_syntaxes=(EXPLICIT, IMPLICIT),
                ),
            ),
            # we are the SCP although we open the association (PS3.7 D.3.3.4)
            roles=(RoleSelection(sop_class_uid=STORAGE_COMMITMENT, is_scu=False, is_scp=True),),
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION_NAME,
        )
        try:
            async with call(host, sender.commitment_port, request, timing=self._timing, clock=self._clock) as peer:
                syntax = peer.transfer_syntax(CONTEXT_ID)
                if syntax is None:
                    log.warning("reports of commitment are not accepted", host=host, called_ae=sender.ae_title)
                    return Outcome.FAILED
                event, data_set = await self._on_disk(
                    lambda: encode_report(docket.read(path), transfer_syntax=syntax)
                )
                answer = await peer.ask(CONTEXT_ID, MESSAGE_ID, _request(event, MESSAGE_ID), data_set)
                return _told(path, answer.number(STATUS))
        except CallFailed as exc:
            log.warning("a report of commitment waits", host=host, called_ae=sender.ae_title, reason=str(exc))
            return Outcome.FAILED

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


def _told(path: Path, status: int | None) -> Outcome:
    if status != Status.SUCCESS:
        return Outcome.FAILED
    log.info("commitment reported", calling_ae=docket.whose(path), transaction_uid=path.stem.rpartition(".")[0])
    return Outcome.DELIVERED


def _request(event: int, message_id: int) -> bytes:
    return encode_request(
        Field.N_EVENT_REPORT,
        message_id,
        has_data_set=True,
        affected_sop_class=STORAGE_COMMITMENT,
        affected_sop_instance=PUSH_MODEL_INSTANCE,
        event_type=event,
    )
