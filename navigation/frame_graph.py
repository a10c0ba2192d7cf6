"""How frames hang together: edges by the names of their two frames, all of them looked at for one time.

An edge answers for a time with a transform or with why there is none. A path is only as good as its worst edge and
as old as its oldest, so the result carries both.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import matmul

from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform


class EdgeStatus(IntEnum):
    """How far an edge may be relied on; the greater, the worse."""

    OK = 0
    DOUBTED = 1
    """It is known, and something speaks against it: it has expired, or a check of it failed."""
    UNSEEN = 2
    """Nobody knows it for that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeState:
    """What an edge, or a path of edges, is at one time.

    Attributes
    ----------
    transform
        The motion; None exactly where the status is ``UNSEEN``.
    status
        The worst on the path.
    age_s
        Time between the asked-for one and the measurement furthest from it, the largest on the path, s; 0 for
        what does not move.
    said
        What speaks against it, in words; empty where it is ``OK``.

    """

    transform: RigidTransform | None
    status: EdgeStatus = EdgeStatus.OK
    age_s: float = 0.0
    said: str = ""

    def __post_init__(self) -> None:
        if (self.transform is None) != (self.status is EdgeStatus.UNSEEN):
            raise NavigationError("a transform is missing exactly where it is unseen")


Edge = Callable[[float], EdgeState]
"""Answers for a time, s."""


class MissingEdge(NavigationError):
    """Raised when nothing joins two frames; names those on either side of the gap."""

    def __init__(self, to_side: Iterable[Frame], from_side: Iterable[Frame]) -> None:
        self.to_side, self.from_side = tuple(to_side), tuple(from_side)
        super().__init__(f"nothing joins {' and '.join(self.to_side)} to {' or '.join(self.from_side)}")


def still(transform: RigidTransform, *, doubt: str = "") -> Edge:
    """Make an edge that is the same at all times, and doubted where ``doubt`` says why."""
    state = EdgeState(transform=transform, status=EdgeStatus.DOUBTED if doubt else EdgeStatus.OK, said=doubt)
    return lambda _: state


class FrameGraph:
    """Edges between named frames."""

    def __init__(self) -> None:
        self._edges: dict[tuple[Frame, Frame], Edge] = {}
        self._paths: dict[tuple[Frame, Frame], tuple[tuple[Frame, Frame], ...]] = {}

    def join(self, to: Frame, from_: Frame, edge: Edge) -> None:
        """Add the edge that maps ``from_`` into ``to``; it takes the place of one between the same two."""
        self._edges.pop((from_, to), None)
        self._edges[to, from_] = edge
        self._paths.clear()

    def at(self, to: Frame, from_: Frame, at_s: float) -> EdgeState:
        """Map ``from_`` into ``to`` by the fewest edges, all of them looked at for the time ``at_s``.

        Raises
        ------
        MissingEdge
            Where no edges lead from one to the other.

        """
        path = self._paths.get((to, from_))
        if path is None:
            path = self._paths[to, from_] = self._path(to, from_)
        if not path:
            return EdgeState(transform=RigidTransform.identity(to, to))
        states = [self._state(left, right, at_s) for left, right in path]
        worst = max(states, key=lambda each: each.status)  # the first of equals
        seen = [each.transform for each in states if each.transform is not None]
        return EdgeState(
            transform=reduce(matmul, seen) if len(seen) == len(path) else None,
            status=worst.status,
            age_s=max(each.age_s for each in states),
            said=worst.said,
        )

    def _state(self, to: Frame, from_: Frame, at_s: float) -> EdgeState:
        edge = self._edges.get((to, from_))
        if edge is not None:
            return edge(at_s)
        back = self._edges[from_, to](at_s)
        return EdgeState(
            transform=None if back.transform is None else back.transform.inverse,
            status=back.status,
            age_s=back.age_s,
            said=back.said,
        )

    def _path(self, to: Frame, from_: Frame) -> tuple[tuple[Frame, Frame], ...]:
        came = self._reached(to)
        if from_ not in came:
            raise MissingEdge(came, self._reached(from_))
        path: list[tuple[Frame, Frame]] = []
        frame = from_
        while (left := came[frame]) is not None:
            path.append((left, frame))
            frame = left
        return tuple(reversed(path))

    def _reached(self, start: Frame) -> dict[Frame, Frame | None]:
        """Give every frame that edges lead to, with the one before it on the shortest way."""
        came: dict[Frame, Frame | None] = {start: None}
        waiting = deque([start])
        while waiting:
            here = waiting.popleft()
            for pair in self._edges:
                if here in pair:
                    there = pair[1] if pair[0] is here else pair[0]
                    if there not in came:
                        came[there] = here
                        waiting.append(there)
        return came
