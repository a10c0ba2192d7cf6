"""Tools of one name in two streams of an OpenIGTLink sender, or twice in one: nobody can tell which is meant."""

from collections.abc import Iterable
from math import dist

from devices.trackers.igtl_bodies import Elements

LEAST_JUMP_MM = 10.0
"""A tool that goes so far and comes back is elsewhere in between, not moved."""

RETURN = 0.2
"""It is back where it lies nearer to where it was than this share of the jump."""

LONGEST_S = 0.12
"""Within which it goes and comes back: no hand turns twice in it over such a way."""

LEAST_TURNS, AMONG = 4, 16
"""So many times among so many poses: a single wild pose is an outlier."""


class Alternation:
    """Tells two tools of one name in one stream by their places: the poses jump to and fro between two."""

    def __init__(self) -> None:
        self._newest: list[tuple[float, tuple[float, ...]]] = []
        self._turned: list[bool] = []

    def is_seen(self, place_mm: tuple[float, ...], at_s: float) -> bool:
        """Take the next place of the tool, mm; say whether its poses come from two places by now."""
        self._newest = [*self._newest[-2:], (at_s, place_mm)]
        if len(self._newest) < 3:
            return False
        (first_s, first_mm), (_, between_mm), _ = self._newest
        jump_mm = min(dist(first_mm, between_mm), dist(between_mm, place_mm))
        is_turn = (
            jump_mm > LEAST_JUMP_MM and dist(first_mm, place_mm) < RETURN * jump_mm and at_s - first_s <= LONGEST_S
        )
        self._turned = [*self._turned[1 - AMONG :], is_turn]
        return sum(self._turned) >= LEAST_TURNS


class Streams:
    """Knows in which stream each tool came since the link was opened.

    Two trackers behind one server (PLUS, 3D Slicer) may both have a tool of one name, each in its own frame.
    TRANSFORM says nothing of the tracker, so that two of one name are one stream: its poses then jump to and fro
    between two places, as no hand does. A tool that came in two streams, or in two places, is contested until the
    link is opened anew: were it believed as soon as one of them is quiet, a tool that the right tracker has lost
    would be shown where the wrong one sees its own.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._against: dict[str, str] = {}
        self._alternations: dict[str, Alternation] = {}

    def hear(self, tools: Iterable[str], stream: str) -> None:
        """Take the names of the tools of one message, as often as they are in it, and what stream it is of."""
        heard: set[str] = set()
        for tool in tools:
            first = self._first.setdefault(tool, stream)
            if tool in heard:
                self._against[tool] = f"it is in {stream} twice: give each tool its own name at the sender"
            elif first != stream:
                self._against.setdefault(
                    tool, f"it comes both in {first} and in {stream}: give each tool its own name at the sender"
                )
            heard.add(tool)

    def see(self, tool: str, elements: Elements, at_s: float) -> None:
        """Take a tool's pose, as on the wire, and when it came."""
        if self._alternations.setdefault(tool, Alternation()).is_seen(elements[9:], at_s):
            self._against.setdefault(
                tool,
                f"{self._first[tool]} has it in two places by turns, as two trackers of one name "
                "are: give each tool its own name at the sender",
            )

    def against(self, tool: str) -> str:
        """Say why no pose of a tool can be believed, and what to do; empty where there is one stream of it."""
        return self._against.get(tool, "")
