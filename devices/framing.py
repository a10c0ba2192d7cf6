"""Cut a stream of bytes into frames: pure, bounded, and never put off by garbage.

A splitter is fed chunks as they come and gives the frames they complete. How the bytes were chunked makes no
difference to what comes out. Each frame carries the time its first byte arrived, since that, not the time it
was understood, says when the instrument spoke.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from devices.errors import FrameError


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Bytes that belong together: a line without its end, or a whole packet.

    Attributes
    ----------
    raw
        The bytes.
    began_at_s
        When the first of them arrived, host monotonic clock, s.

    """

    raw: bytes
    began_at_s: float


class Arrivals:
    """Bytes not yet cut into frames, and when each of them came."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._starts: list[int] = []
        self._times_s: list[float] = []

    def __len__(self) -> int:
        return len(self._held)

    def append(self, chunk: bytes, arrived_at_s: float) -> None:
        """Hold a chunk whose first byte came at ``arrived_at_s``."""
        if not chunk:
            return
        self._starts.append(len(self._held))
        self._times_s.append(arrived_at_s)
        self._held += chunk

    def find(self, sought: bytes) -> int:
        """Offset of the first ``sought``, or -1."""
        return self._held.find(sought)

    def peek(self, length: int) -> bytes:
        """Give the first ``length`` bytes, or as many as there are, and keep them."""
        return bytes(self._held[:length])

    def take(self, length: int) -> Frame:
        """Give the first ``length`` bytes and when they began, and let them go."""
        frame = Frame(raw=self.peek(length), began_at_s=self._times_s[0])
        self.drop(length)
        return frame

    def drop(self, length: int) -> None:
        """Let the first ``length`` bytes go."""
        del self._held[:length]
        if not self._held:
            self._starts.clear()
            self._times_s.clear()
            return
        first = bisect_right(self._starts, length) - 1
        self._starts = [max(start - length, 0) for start in self._starts[first:]]
        self._times_s = self._times_s[first:]


class LineSplitter:
    """Cut a stream into lines ended by CR, LF or both; empty lines are no lines.

    Parameters
    ----------
    greatest_length
        Longest line, bytes. What is longer is dropped up to its end and counted as rejected.

    """

    def __init__(self, *, greatest_length: int = 256) -> None:
        self._greatest_length = greatest_length
        self._held = Arrivals()
        self._is_skipping = False
        self.rejected = 0

    def feed(self, chunk: bytes, arrived_at_s: float) -> list[Frame]:
        """Take a chunk whose first byte came at ``arrived_at_s``; give the lines that it ends."""
        lines = []
        *ended, rest = chunk.replace(b"\r", b"\n").split(b"\n")
        for piece in ended:
            self._hold(piece, arrived_at_s)
            if not self._is_skipping and len(self._held):
                lines.append(self._held.take(len(self._held)))
            self._is_skipping = False
        self._hold(rest, arrived_at_s)
        return lines

    def _hold(self, piece: bytes, arrived_at_s: float) -> None:
        if self._is_skipping:
            return
        self._held.append(piece, arrived_at_s)
        if len(self._held) > self._greatest_length:
            self._held.drop(len(self._held))
            self._is_skipping = True
            self.rejected += 1


class GapSplitter:
    """Cut a stream where it pauses: for instruments whose bytes have neither mark nor length.

    What the bytes are is not looked at. A burst is over once ``gap_s`` have passed behind its last byte: with the
    next chunk, or with ``settle``, which is worth calling at ``settle_at_s``.

    Parameters
    ----------
    gap_s
        Pause between bursts, s: longer than any within one, shorter than between two.
    greatest_length
        Longest burst, bytes. What is longer is dropped up to the next pause and counted as rejected.

    """

    def __init__(self, *, gap_s: float, greatest_length: int) -> None:
        self._gap_s = gap_s
        self._greatest_length = greatest_length
        self._held = Arrivals()
        self._is_skipping = False
        self._last_s = -inf
        self.rejected = 0

    @property
    def settle_at_s(self) -> float:
        """When the burst in hand is over if nothing comes; infinite where there is none."""
        return self._last_s + self._gap_s if len(self._held) else inf

    def feed(self, chunk: bytes, arrived_at_s: float) -> list[Frame]:
        """Take a chunk whose first byte came at ``arrived_at_s``; give the burst that was over before it."""
        bursts = self.settle(arrived_at_s)
        if arrived_at_s - self._last_s >= self._gap_s:
            self._is_skipping = False
        self._last_s = arrived_at_s
        if self._is_skipping:
            return bursts
        self._held.append(chunk, arrived_at_s)
        if len(self._held) > self._greatest_length:
            self._held.drop(len(self._held))
            self._is_skipping = True
            self.rejected += 1
        return bursts

    def settle(self, now_s: float) -> list[Frame]:
        """Give the burst that is over by now, if there is one."""
        return [self._held.take(len(self._held))] if now_s >= self.settle_at_s else []


class PacketSplitter:
    """Cut a stream into packets that begin with sync bytes and say their length in a header.

    A packet that fails its check is not trusted for its length either: the search for the next sync goes on
    one byte behind the refused one, so that a true packet is found even inside what a false length claimed.

    Parameters
    ----------
    sync
        The bytes every packet begins with.
    header_length
        Bytes, sync included, that ``measure`` needs.
    measure
        Gives the whole packet's length from its header, or raises ``FrameError``. It bounds the buffer: no
        more is held than the longest packet it allows.
    check
        Raises ``FrameError`` for a whole packet that is damaged.

    """

    def __init__(
        self,
        *,
        sync: bytes,
        header_length: int,
        measure: Callable[[bytes], int],
        check: Callable[[bytes], None],
    ) -> None:
        self._sync = sync
        self._header_length = header_length
        self._measure = measure
        self._check = check
        self._held = Arrivals()
        self._is_lost = False
        self.rejected = 0

    def feed(self, chunk: bytes, arrived_at_s: float) -> list[Frame]:
        """Take a chunk whose first byte came at ``arrived_at_s``; give the packets that it completes."""
        self._held.append(chunk, arrived_at_s)
        return self._cut()

    def give_up(self) -> list[Frame]:
        """Refuse the packet in hand, whose rest never came; give what stood complete behind its sync."""
        if len(self._held):
            self._refuse(1)
        return self._cut()

    def _cut(self) -> list[Frame]:
        packets = []
        while self._seek() and len(self._held) >= self._header_length:
            try:
                length = self._measure(self._held.peek(self._header_length))
                if len(self._held) < length:
                    break
                self._check(self._held.peek(length))
            except FrameError:
                self._refuse(1)
                continue
            packets.append(self._held.take(length))
            self._is_lost = False
        return packets

    def _seek(self) -> bool:
        """Drop what stands before the next sync; say whether there is one, whole."""
        found = self._held.find(self._sync)
        if found < 0:
            # the last bytes may be the beginning of a sync whose rest is on its way
            tail = self._held.peek(len(self._held))[-len(self._sync) + 1 :] if len(self._sync) > 1 else b""
            kept = next((n for n in range(len(tail), 0, -1) if self._sync.startswith(tail[-n:])), 0)
            self._refuse(len(self._held) - kept)
            return False
        self._refuse(found)
        return True

    def _refuse(self, length: int) -> None:
        """Drop bytes that are no packet; a run of them counts once, whatever it held."""
        if length <= 0:
            return
        self._held.drop(length)
        if not self._is_lost:
            self.rejected += 1
            self._is_lost = True
