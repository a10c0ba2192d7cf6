"""The time of a recording: held at first, at its speed, and still while anybody holds it."""

import asyncio
from datetime import UTC, datetime

import pytest

from acquisition.replay.clock import ReplayClock

BEGAN = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


class Host:
    """A host's clock that is set by hand."""

    now_s = 50.0

    def __call__(self) -> float:
        """Give its time, s."""
        return self.now_s


def test_it_goes_at_its_speed_from_when_it_is_let_go() -> None:
    """Until then it stands at the beginning of the recording; wall time goes with it."""
    host = Host()
    clock = ReplayClock(starts_at_s=1000.0, utc_at_start=BEGAN, speed=4.0, clock=host)
    host.now_s += 7.0
    assert (clock(), clock.now(), clock.is_held) == (1000.0, BEGAN, True)
    clock.let_go()
    host.now_s += 2.5
    assert (clock(), clock.is_held) == (1010.0, False)
    assert (clock.now() - BEGAN).total_seconds() == pytest.approx(10.0)


def test_it_stands_still_while_anybody_holds_it() -> None:
    """Two may hold it, one within the other: it goes on once both have let go, from where it stood."""
    host = Host()
    clock = ReplayClock(starts_at_s=0.0, utc_at_start=BEGAN, clock=host)
    clock.let_go()
    host.now_s += 1.0
    with clock.held():
        host.now_s += 1.0
        with clock.held():
            host.now_s += 1.0
        host.now_s += 1.0
        assert clock() == 1.0
    host.now_s += 0.5
    assert clock() == 1.5


async def test_nobody_waits_for_what_has_come_and_all_wait_for_what_has_not() -> None:
    """A time that has passed is waited for no longer; one that lies ahead not before it comes."""
    clock = ReplayClock(starts_at_s=0.0, utc_at_start=BEGAN, speed=20.0)
    await clock.until(-1.0)
    waiting = asyncio.create_task(clock.until(1.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.let_go()
    await waiting
    assert clock() >= 1.0


async def test_a_late_host_does_not_pass_what_is_played_next() -> None:
    """What is stamped one second is played at one second, however long the host stood still; then it goes on."""
    host = Host()
    clock = ReplayClock(starts_at_s=0.0, utc_at_start=BEGAN, speed=5.0, clock=host)
    clock.let_go()
    host.now_s += 0.1
    waiting = asyncio.create_task(clock.until(1.0))
    await asyncio.sleep(0)
    host.now_s += 3.0
    await waiting
    assert clock() == 1.0
    await clock.until(0.5)  # a recording need not be quite in order
    assert clock() == 1.0
    await clock.until(4.0)
    assert clock() == 4.0
