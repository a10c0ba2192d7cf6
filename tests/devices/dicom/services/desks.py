"""A desk within the test, with a disk that is watched, and a node around it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from typing import ParamSpec, TypeVar

import pytest

from devices.clock import monotonic
from devices.dicom.door import Admission, Door, listen
from devices.dicom.retrying import Retrying
from devices.dicom.services.commitment import Reference, Transaction
from devices.dicom.services.desk import CommitmentDesk
from devices.dicom.services.provider import Provider
from devices.dicom.services.session import Session
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.store import ObjectStore

P = ParamSpec("P")
T = TypeVar("T")

PATIENT = Retrying(first_s=3600.0, longest_s=3600.0)
AT_ONCE = Retrying(first_s=0.01, longest_s=0.01)


class Disk(ThreadPoolExecutor):
    """A disk that knows how often something was asked of it, and what processor time it took."""

    asked = 0
    busy_s = 0.0
    refused: Collection[int] = ()
    """Which times it refuses, the first being 1."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Count, and do."""
        self.asked += 1
        if self.asked in self.refused:
            raise OSError(f"the disk refuses time {self.asked}")

        def timed() -> T:
            before_s = time.thread_time()
            try:
                return fn(*args, **kwargs)
            finally:
                self.busy_s += time.thread_time() - before_s

        return super().submit(timed)


@asynccontextmanager
async def serving(chosen: NodeSettings, disk: Disk) -> AsyncIterator[tuple[int, Provider]]:
    """Serve one connection at a time within the test; gives the port. No commitment is looked into."""
    with ExitStack() as closing:
        store = closing.enter_context(ObjectStore.open(chosen.folder, free_floor_mb=0))
        listener = closing.enter_context(listen("127.0.0.1", 0))
        provider = Provider(settings=chosen, store=store, notify=lambda _: None)
        provider.desk = CommitmentDesk(
            provider, chosen.folder, disk=disk, timing=chosen.timing, clock=monotonic, retrying=PATIENT
        )
        admission = Admission(
            is_expected_from=lambda _: True,
            connections=1,
            timing=chosen.timing,
            disk=disk,
            make_user=lambda address: Session(provider, address),
            report=lambda _, reason: pytest.fail(reason),
        )
        task = asyncio.create_task(Door(admission, clock=monotonic).serve(listener))
        try:
            yield listener.getsockname()[1], provider
        finally:
            task.cancel()
            await asyncio.wait((task,))


def desk_of(
    chosen: NodeSettings, store: ObjectStore, disk: ThreadPoolExecutor, *, retrying: Retrying = PATIENT
) -> CommitmentDesk:
    """Make a desk that nobody has come to yet."""
    provider = Provider(settings=chosen, store=store, notify=lambda _: None)
    return CommitmentDesk(
        provider, chosen.folder, disk=disk, timing=chosen.timing, clock=monotonic, retrying=retrying
    )


TRANSACTION = Transaction(
    transaction_uid="1.2.3", calling_ae="CAMERA", references=(Reference(sop_class_uid="1.2", object_uid="1.2.1"),)
)
