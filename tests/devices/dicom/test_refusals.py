"""Many refusals neither fill the log and the audit trail nor are lost."""

import asyncio
from contextlib import aclosing
from typing import Any

from structlog.testing import capture_logs

from devices.dicom.client import run_node
from devices.dicom.refusals import MOST_KINDS, TOLD_SINGLY, Refusals
from devices.dicom.services.events import Cause, Refusal
from tests.devices.dicom.trail import lines

MANY = 60


def refusal(calling_ae: str = "STRANGER", address: str = "10.0.0.7") -> Refusal:
    return Refusal(cause=Cause.CALLING_AE, calling_ae=calling_ae, address=address, reason=f"who is {calling_ae}")


def test_many_alike_are_told_by_their_number() -> None:
    """The first few singly, the rest in one sentence when it is summed up; another sender is told at once."""
    told = list[Refusal]()
    refusals = Refusals(told.append)
    for _ in range(1000):
        refusals.take(refusal())
    refusals.take(refusal("OTHER"))
    assert [one.calling_ae for one in told] == ["STRANGER"] * TOLD_SINGLY + ["OTHER"]
    refusals.sum_up()
    assert told[-1].calling_ae == "STRANGER"
    assert told[-1].reason == "who is STRANGER; with it 995 more like those told before"


def test_one_that_goes_on_is_told_once_each_time() -> None:
    """While it goes on there is one line each time that it is summed up; then it is told singly again."""
    told = list[Refusal]()
    refusals = Refusals(told.append)
    for _ in range(3):
        for _ in range(100):
            refusals.take(refusal())
        refusals.sum_up()
    assert len(told) == TOLD_SINGLY + 3
    refusals.sum_up()
    refusals.take(refusal())
    assert told[-1] == refusal()
    assert len(told) == TOLD_SINGLY + 4


def test_a_stranger_of_many_names_is_one_among_many() -> None:
    """Whatever he calls himself and wherever he calls from, lines and memory are bounded, and all are counted."""
    told = list[Refusal]()
    refusals = Refusals(told.append)
    for number in range(5000):
        refusals.take(refusal(f"NAME{number}", f"10.0.{number // 250}.{number % 250}"))
    refusals.sum_up()
    assert len(told) == MOST_KINDS + TOLD_SINGLY + 1
    assert told[-1].reason.endswith(f"with it {5000 - MOST_KINDS - TOLD_SINGLY} more like those told before")


async def test_a_flood_fills_neither_log_nor_trail(settings: Any, console: Any) -> None:
    """Each of many refused associations counts in the health and the trail, and few have a line of their own."""
    chosen = settings(allowed_ae_titles=("CAMERA",))
    with capture_logs() as logged:
        async with run_node(chosen) as node:
            for _ in range(MANY):
                async with console(node.port) as raw:
                    assert await raw.associate("STRANGER") == 3
            async with asyncio.timeout(60), aclosing(node.health_changes()) as changes:
                async for health in changes:
                    if health.rejected == MANY:
                        break
            assert health.detail.startswith("refused: STRANGER at 127.0.0.1: calling AE title")
    refused = [
        message["EventIdentification"]["EventOutcomeDescription"]
        for message in lines(chosen.folder)
        if message["EventIdentification"]["EventID"]["csd-code"] == "110113"
    ]
    assert len(refused) == len([one for one in logged if one["event"] == "refused"]) == TOLD_SINGLY + 1
    assert refused[-1].endswith(f"with it {MANY - TOLD_SINGLY} more like those told before")
