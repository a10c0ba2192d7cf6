"""The benchmark of OpenIGTLink on short runs: its figures are of real messages, and what is lost is counted."""

from statistics import median

import pytest

from benchmarks.igtl import FLOOR, Latencies, measure
from benchmarks.kernel_stamps import STEADY_NS
from devices.trackers.igtl_bodies import MATRIX
from devices.trackers.igtl_envelope import HEADER


@pytest.mark.parametrize("peer", ["radionav", "floor"])
def test_a_short_run_reaches_every_client(peer: str) -> None:
    """Each pose reaches each client once, after it was sent."""
    found = measure(peer, 100, 30, 3)
    assert len(found.ms) == 90
    assert min(found.ms) > 0
    moved = dict.fromkeys(("median_ms", "p99_ms", "arrived_median_ms", "arrived_p99_ms"), 0)
    assert (
        found.line(is_awake=False) | moved
        == {
            "peer": peer,
            "rate_hz": 100,
            "clients": 3,
            "processors": "halting",
            "sent": 30,
            "lost": 0,
        }
        | moved
    )


@pytest.mark.parametrize(("peer", "clients"), [("radionav", 3), ("floor", 3), ("pyigtl", 1)])
def test_a_pose_arrives_after_it_was_sent_and_mostly_before_it_is_heard(peer: str, clients: int) -> None:
    """The kernel has each message before the process that it wakes for it; pyigtl's server is stamped too."""
    found = measure(peer, 100, 30, clients)
    assert 0.8 * 30 * clients < len(found.arrived_ms) <= 30 * clients
    assert min(found.arrived_ms) > -STEADY_NS / 1e6
    assert median(found.arrived_ms) < median(found.ms)


def test_the_floor_carries_as_much_as_a_pose() -> None:
    """Header and matrix."""
    assert FLOOR.size == HEADER.size + MATRIX.size


def test_pyigtl_is_measured_likewise() -> None:
    """Its poses come to its own client; what comes, comes after it was sent."""
    found = measure("pyigtl", 50, 30, 1)
    assert 0 < len(found.ms) <= 30
    assert min(found.ms) > 0


def test_what_does_not_arrive_is_lost() -> None:
    """Losses are counted over all clients; without any arrival, or any stamp, there are no figures."""
    found = Latencies(peer="radionav", rate_hz=100, clients=8, sent=10, ms=[1.0] * 79, arrived_ms=[0.5] * 70)
    assert found.figures() == {
        "median_ms": 1.0,
        "p99_ms": 1.0,
        "lost": 1,
        "arrived_median_ms": 0.5,
        "arrived_p99_ms": 0.5,
    }
    nothing = Latencies(peer="pyigtl", rate_hz=100, clients=1, sent=10, ms=[])
    assert nothing.figures() == dict.fromkeys(nothing.figures()) | {"lost": 10}
