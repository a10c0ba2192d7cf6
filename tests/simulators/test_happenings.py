import os
import signal
from collections.abc import Iterator

import pytest

from simulators.happenings import Excision, ImpossibleHappening, Unplugging
from simulators.scene import sentinel_node_scene

PROBES = ("gamma", "monitor")


@pytest.fixture(autouse=True)
def _signal() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_what_is_to_happen_is_read_as_it_is_written() -> None:
    """Times in seconds, names as in the room."""
    assert Unplugging.read("gamma:10:5", probes=PROBES) == Unplugging(probe="gamma", after_s=10.0, for_s=5.0)
    assert Excision.read("node:60", scene=sentinel_node_scene()) == Excision(source="node", after_s=60.0)
    assert Excision.read("node", scene=sentinel_node_scene()) == Excision(source="node", after_s=None)


def test_a_signal_before_there_is_anything_to_cut_ends_nothing() -> None:
    """SIGUSR1 ends a process that does not listen; this one goes on from the moment it has read its command."""
    Excision.read("node", scene=sentinel_node_scene())
    os.kill(os.getpid(), signal.SIGUSR1)


@pytest.mark.parametrize("written", ["gamma", "gamma:10", "gamma:ten:5", "gamma:1:2:3", "beta:10:5"])
def test_a_cable_that_cannot_be_pulled_is_refused(written: str) -> None:
    """The refusal says how to write it, or which probes there are."""
    with pytest.raises(ImpossibleHappening, match=r"NAME:AFTER_S:FOR_S|the simulated probes are gamma, monitor"):
        Unplugging.read(written, probes=PROBES)


@pytest.mark.parametrize("written", ["node:", "node:soon", "liver:60", "liver", ""])
def test_a_source_that_cannot_be_cut_out_is_refused(written: str) -> None:
    """The refusal says how to write it, and which sources there are."""
    with pytest.raises(ImpossibleHappening, match="SOURCE:AFTER_S"):
        Excision.read(written, scene=sentinel_node_scene())
