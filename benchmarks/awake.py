"""Processors that are kept from halting while something is measured; Linux only.

A processor with nothing to do is halted, and takes its time to run again: some microseconds where it is real, 0.05
to 0.2 ms where it is a virtual one that the host has put aside. At 100 messages a second every one of them meets
halted processors, and what is measured is mostly the host. Whoever holds the kernel's device for it may ask that
they run again at once, as cyclictest does (Linux, admin-guide/pm/cpuidle, "Power Management Quality of Service for
CPUs"). By default root alone may.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DEVICE = Path("/dev/cpu_dma_latency")
NO_LATENCY_US = struct.pack("@i", 0)


@contextmanager
def kept_awake(device: Path = DEVICE) -> Iterator[bool]:
    """Keep every processor from halting; gives whether that is allowed here."""
    descriptor = None
    with suppress(OSError):
        descriptor = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    if descriptor is None:
        yield False
        return
    try:
        os.write(descriptor, NO_LATENCY_US)
        yield True
    finally:
        os.close(descriptor)  # and the kernel forgets it, also where this process is killed
