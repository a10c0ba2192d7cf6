"""What others see of the navigation by OpenIGTLink: the rate and the targets of each frame."""

from collections.abc import Iterator

from devices.igtl_server import IgtlServer
from devices.trackers.igtl_values import Point
from display.messages.feed import State

TARGET_RGBA = (255, 190, 60, 255)
LONGEST_NAME_BYTES = 64
"""A POINT's field for a name."""


def share(state: State, server: IgtlServer) -> None:
    """Hand a frame's rate and targets to the server, which sends them where they are news."""
    rate = state.rate
    if rate is not None:
        server.send_rate(rate.known_cps, state.server_monotonic_s - rate.age_s)
    server.send_targets(tuple(_located(state)))


def _located(state: State) -> Iterator[Point]:
    """Give the targets whose place can be told; an injection site is none."""
    for target in state.targets:
        if target.kind == "target" and target.localisable and target.centre_mm is not None:
            name = target.name.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")
            yield Point(name=name, group="Target", rgba=TARGET_RGBA, position_mm=tuple(target.centre_mm))
