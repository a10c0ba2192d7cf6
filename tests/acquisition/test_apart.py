"""A process beside the service: it answers or says that it does not, and it never outlives who asks it."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from acquisition.apart import START_S, ProcessDied, run_apart
from tests.acquisition.children import children

MODULE = "tests.acquisition.echo"

ROOT = Path(__file__).parents[2]


async def test_each_question_has_its_answer() -> None:
    """One after another, large ones too, and the process is gone with the block."""
    async with run_apart(MODULE) as it:
        for question in (1, "two", b"3" * 5_000_000):
            assert await it.ask(question, within_s=START_S) == question
        assert children(MODULE)
    assert not children(MODULE)


async def test_it_stands_back_on_one_processor() -> None:
    """As far as its module says, and no library in it starts threads of its own."""
    async with run_apart(MODULE) as it:
        niceness, threads = await it.ask("how", within_s=START_S)
    assert niceness == min(os.nice(0) + 3, 19)
    assert threads == {1}


async def test_one_that_ends_is_told_at_once() -> None:
    """Killed while it works or idles, or ended by an error of its own: no answer is waited for."""
    async with run_apart(MODULE) as it:
        await it.ask("", within_s=START_S)
        (process,) = children(MODULE)
        os.kill(process, signal.SIGSTOP)
        asking = asyncio.create_task(it.ask("", within_s=START_S))
        await asyncio.sleep(0)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(ProcessDied, match="ended without an answer"):
            await asking
    async with run_apart(MODULE) as it:
        await it.ask("", within_s=START_S)
        (process,) = children(MODULE)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(ProcessDied, match="ended by itself"):
            await it.idle_until(asyncio.Event())
    async with run_apart("tests.acquisition.no_such_module") as it:
        with pytest.raises(ProcessDied, match="ended without an answer"):
            await it.ask("", within_s=START_S)


async def test_one_that_hangs_is_ended() -> None:
    """Stopped, it does not answer in its time; nobody waits longer, and it does not stay behind."""
    async with run_apart(MODULE) as it:
        await it.ask("", within_s=START_S)
        (process,) = children(MODULE)
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(ProcessDied, match="it hung: no answer in 1 s"):
            await it.ask("", within_s=1.0)
    assert not children(MODULE)


async def test_one_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an interpreter, or with no room for another process, nothing else ends."""
    monkeypatch.setattr(sys, "executable", "/no/interpreter")
    with pytest.raises(ProcessDied, match="could not be started"):
        async with run_apart(MODULE):
            raise AssertionError


@pytest.mark.parametrize("times", [1, 2])
async def test_cancelling_ends_it_in_mid_answer(times: int) -> None:
    """Whoever waits is cancelled, once or again while it ends: no process, no thread, no pipe stays behind."""
    asked = asyncio.Event()

    async def wait_for_it() -> None:
        async with run_apart(MODULE) as it:
            await it.ask("", within_s=START_S)
            (process,) = children(MODULE)
            os.kill(process, signal.SIGSTOP)
            asked.set()
            await it.ask("", within_s=START_S)

    waiting = asyncio.create_task(wait_for_it())
    await asked.wait()
    for _ in range(times):
        waiting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    ending = [task for task in asyncio.all_tasks() if task.get_name() == f"end of {MODULE}"]
    await asyncio.gather(*ending)
    assert not children(MODULE)


def test_it_ends_with_a_service_that_is_killed() -> None:
    """SIGKILL leaves no time to end anything: its own end of the pipe tells it."""
    asker = (
        "import asyncio, sys\n"
        "from acquisition.apart import run_apart\n"
        "async def main():\n"
        f"    async with run_apart({MODULE!r}) as it:\n"
        "        print(await it.ask('who', within_s=60.0), flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", asker], cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:  # noqa: S603 - our own
        assert service.stdout is not None
        process = os.pidfd_open(int(service.stdout.readline()))
        service.kill()
    try:
        assert select.select([process], [], [], 60.0)[0]
    finally:
        os.close(process)


async def test_who_is_cancelled_while_it_ends_leaves_nothing_behind() -> None:
    """A service that ends just as another study was chosen waits for the former estimate's process to be gone."""
    leaving = asyncio.Event()

    async def run() -> None:
        async with run_apart("acquisition.estimate.estimator"):
            leaving.set()

    running = asyncio.create_task(run())
    await leaving.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("end of")]
