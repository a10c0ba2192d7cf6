"""When a console is too slow, by the arithmetic alone."""

from collections.abc import Callable

import pytest

from devices.dicom.services.pace import Pace
from devices.dicom.services.sharing import one_to_dismiss
from devices.dicom.settings import NodeSettings

LEAST = NodeSettings.model_fields["minimum_bytes_per_s"].default
SILENCE_S = NodeSettings.model_fields["idle_time_s"].default
HOUR_S = 3600


def _first(brought: Callable[[float], float], *, step_s: int = 1) -> tuple[float | None, float | None]:
    """Follow one message for an hour: when it is behind first, and when it is given up, s."""
    pace, counted, behind_s = Pace(least_bytes_per_s=LEAST, window_s=SILENCE_S), 0, None
    for now_s in range(step_s, HOUR_S, step_s):
        came = int(brought(now_s))
        pace.brought(came - counted)
        counted = came
        complaint = pace.look(now_s, is_under_way=True)
        if pace.is_behind and behind_s is None:
            behind_s = float(now_s)
        if complaint:
            return behind_s, float(now_s)
    return behind_s, None


@pytest.mark.parametrize("step_s", [1, 6, 30])
@pytest.mark.parametrize("bytes_per_s", [8000, 1.01 * LEAST])
def test_a_steady_line_above_the_least_is_never_behind(bytes_per_s: float, step_s: int) -> None:
    """64 kbit/s, and one in a hundred more than the least, however seldom it is looked at."""
    assert _first(lambda now_s: bytes_per_s * now_s, step_s=step_s) == (None, None)


@pytest.mark.parametrize("bytes_per_s", [0, 1, 0.99 * LEAST])
def test_a_steady_line_below_the_least_is_behind_soon_and_given_up_later(bytes_per_s: float) -> None:
    """Its place is free for others after a twentieth of the time for silence; it ends after that time."""
    behind_s, given_up_s = _first(lambda now_s: bytes_per_s * now_s)
    assert behind_s == SILENCE_S / 20
    assert given_up_s == SILENCE_S


def test_a_pause_shorter_than_the_longest_silence_is_not_held_against_a_line() -> None:
    """A minute of 64 kbit/s, 110 s of nothing, and so on: shorter than the silence allowed, and not too slow."""

    def brought(now_s: float) -> float:
        turns, rest_s = divmod(now_s, 170)
        return 8000 * (60 * turns + min(rest_s, 60))

    assert _first(brought) == (None, None)


def test_a_burst_buys_two_windows_at_most() -> None:
    """A hundred megabytes in the first second, and a byte a second from then on."""
    _, given_up_s = _first(lambda now_s: 100_000_000 + now_s)
    assert given_up_s is not None
    assert SILENCE_S < given_up_s <= 3 * SILENCE_S


def test_many_small_messages_are_behind_and_go_on() -> None:
    """A whole message of 100 bytes each second takes no harm while nobody wants the place."""
    pace = Pace(least_bytes_per_s=LEAST, window_s=SILENCE_S)
    for now_s in range(HOUR_S):
        assert pace.look(now_s + 0.5, is_under_way=True) == ""
        pace.brought(100)
        pace.finished()
    assert pace.is_behind


class One:
    """An association as far as room is concerned."""

    def __init__(self, calling_ae: str, *, is_behind: bool = True, is_leaving: bool = False) -> None:
        self.calling_ae, self.is_behind, self.is_leaving = calling_ae, is_behind, is_leaving


@pytest.mark.parametrize(
    ("there", "newcomer", "goes"),
    [
        ([One("A"), One("B"), One("B")], "C", 1),
        ([One("A"), One("B"), One("B")], "B", 1),
        ([One("A"), One("B")], "B", 1),
        ([One("A"), One("B", is_behind=False)], "B", None),
        ([One("A"), One("B", is_behind=False), One("B", is_behind=False)], "C", 0),
        ([One("A", is_behind=False), One("B", is_behind=False)], "C", None),
        ([One("A", is_leaving=True), One("B")], "C", 1),
    ],
    ids=[
        "of who has most",
        "its own",
        "its own of equally many",
        "no other's for who would have more",
        "of whoever is behind",
        "nobody who works",
        "nobody twice",
    ],
)
def test_who_makes_room(there: list[One], newcomer: str, goes: int | None) -> None:
    """The oldest that is behind of the title that has most, the newcomer counted; none who works."""
    chosen = one_to_dismiss(there, newcomer)
    assert chosen is (None if goes is None else there[goes])
