"""Tools of one name in two streams of one OpenIGTLink sender: nobody can tell which is the one that is meant."""

from collections.abc import Iterable


class Streams:
    """Knows in which stream each tool came since the link was opened.

    Two trackers behind one server (PLUS, 3D Slicer) may both have a tool of one name, each in its own
    frame. A tool that came in two streams is contested until the link is opened anew: were it believed as soon as
    one of them is quiet, a tool that the right tracker has lost would be shown where the wrong one sees its own.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._against: dict[str, str] = {}

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

    def against(self, tool: str) -> str:
        """Say why no pose of a tool can be believed, and what to do; empty where there is one stream of it."""
        return self._against.get(tool, "")
