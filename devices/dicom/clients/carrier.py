"""The process that sends what waits for one destination: ``python -m devices.dicom.clients.carrier``.

Started by the node while something is due, so that the node itself never holds pynetdicom, which takes more memory
than all of its own code. Standard input gives ``Instructions``, one line of JSON; when it closes, or on SIGTERM,
the process ends after the object under way.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import structlog

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.child import read_line
from devices.dicom.clients.answers import Fate
from devices.dicom.clients.carrying import carry_out
from devices.dicom.clients.instructions import Instructions
from devices.dicom.clients.outbox import Outbox
from devices.dicom.clients.progress import Progress, UnreadableOrder
from devices.stderr_log import log_to_stderr

log = structlog.get_logger()


def _attempt(path: Path, instructions: Instructions, audit: AuditTrail, over: threading.Event) -> None:
    try:
        with Outbox(instructions.folder).take(path) as order:
            if order is None:
                return
            carry_out(
                order, instructions.peer, calling_ae=instructions.calling_ae, audit=audit, is_over=over.is_set
            )
            _report(order.progress)
    except (OSError, UnreadableOrder) as exc:
        log.warning("an order cannot be carried out", path=str(path), reason=str(exc))


def _report(progress: Progress) -> None:
    told = log.bind(destination=progress.request.destination, study_uid=progress.request.study_uid)
    refused = {answer.reason for answer in progress.failures()}
    told = told.bind(stored=progress.count(Fate.STORED), refused=progress.count(Fate.REFUSED))
    if progress.waiting:
        reasons = "; ".join(sorted(filter(None, {progress.missed, *refused})))
        told.warning("sending goes on later", waiting=len(progress.waiting), reason=reasons)
    elif refused:
        told.warning("not all was taken", reason="; ".join(sorted(refused)))
    else:
        told.info("sent")


def _wait_for_end(over: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 65536):
        pass
    over.set()


def main() -> None:
    """Make one attempt at each order."""
    log_to_stderr()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to the node too, which ends this one
    instructions = Instructions.model_validate_json(read_line())
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    threading.Thread(target=_wait_for_end, args=(over,), name="standard input", daemon=True).start()
    audit = AuditTrail(instructions.folder, ae_title=instructions.calling_ae)
    for path in instructions.orders:
        if not over.is_set():
            _attempt(path, instructions, audit, over)


if __name__ == "__main__":
    main()
