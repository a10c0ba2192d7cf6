"""Processors that are kept awake while something is measured."""

import os
import struct
from pathlib import Path

import pytest

from benchmarks.awake import DEVICE, kept_awake


def _allowed_latency_us() -> int:
    """What the kernel holds to now, for all who have asked."""
    return int(struct.unpack("@i", DEVICE.read_bytes()[:4])[0])


@pytest.mark.skipif(not os.access(DEVICE, os.R_OK | os.W_OK), reason="the processors are not ours to keep awake")
def test_the_kernel_is_asked_for_no_latency_and_only_meanwhile() -> None:
    """It says so itself."""
    before_us = _allowed_latency_us()
    with kept_awake() as is_awake:
        assert is_awake
        assert _allowed_latency_us() == 0
    assert _allowed_latency_us() == before_us > 0


def test_who_may_not_ask_is_told(tmp_path: Path) -> None:
    """Then the figures are those of processors that halt, and are called so."""
    with kept_awake(tmp_path / "none") as is_awake:
        assert not is_awake
