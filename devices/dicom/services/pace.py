"""How fast a console brings data sets: whether one that has an association makes use of it."""

from devices.dicom.upper_layer.timing import LOOKS_A_SILENCE


class Pace:
    """Counts what one association brings, over the time in which it is the console's turn.

    Commands do not count: whoever only asks whether we are there wants nothing kept.

    Parameters
    ----------
    least_bytes_per_s
        Of data sets; a slower console is behind.
    window_s
        The mean is taken over so long at least, and twice as long at most; of a younger association since its
        beginning. So a pause that ends before it puts nobody behind who has brought enough before it.

    Attributes
    ----------
    is_behind
        Whether less comes. It may be between two messages, and have nothing to send.

    """

    def __init__(self, *, least_bytes_per_s: float, window_s: float) -> None:
        self.is_behind = False
        self._least_bytes_per_s = least_bytes_per_s
        self._window_s = window_s
        self._brought = 0
        # what had come when the window before this one began, and when this one did
        self._marks = (0, 0)
        self._seen = 0
        self._began_s = self._before_s = 0.0
        self._message = 0
        self._under_way = (0, 0.0)

    def brought(self, size: int) -> None:
        """Count so many bytes of a data set."""
        self._brought += size

    def finished(self) -> None:
        """Note that a message is whole."""
        self._message += 1

    def look(self, turn_s: float, *, is_under_way: bool) -> str:
        """Judge it after ``turn_s`` of its turn in all; gives why it must end, and nothing while it may go on.

        It must end where one message has been under way for a whole window, in which too little came.
        """
        under_way_s = self._under_way_for(turn_s, is_under_way=is_under_way)
        over_s, came = self._of_late(turn_s)
        if over_s < self._window_s / LOOKS_A_SILENCE:  # too young to say
            return ""
        self.is_behind = came < self._least_bytes_per_s * over_s
        if not self.is_behind or under_way_s < self._window_s:
            return ""
        least = f"{self._least_bytes_per_s:g} are the least (minimum_bytes_per_s)"
        return f"a message came at {came / over_s:.0f} bytes/s, {least}"

    def _under_way_for(self, turn_s: float, *, is_under_way: bool) -> float:
        """How long ago the message that has begun was first seen; 0 where none has."""
        if not is_under_way or self._under_way[0] != self._message:
            self._under_way = self._message, turn_s
        return turn_s - self._under_way[1]

    def _of_late(self, turn_s: float) -> tuple[float, int]:
        """Over how long the mean is taken now, and how many bytes came in that time."""
        windows = int((turn_s - self._began_s) / self._window_s)
        if windows:
            self._marks = (self._marks[1] if windows == 1 else self._seen, self._seen)
            self._before_s = self._window_s
            self._began_s += windows * self._window_s
        self._seen = self._brought
        return turn_s - self._began_s + self._before_s, self._brought - self._marks[0]
