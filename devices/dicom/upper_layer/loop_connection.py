"""A connection on the event loop: for associations that are not handed on, that speak TLS, or that we open."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor

from devices.clock import Clock
from devices.dicom.upper_layer.associate import AssociateRequest
from devices.dicom.upper_layer.association import Association
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Conclusion, User, Work


class LoopConnection(asyncio.BufferedProtocol):
    """An association's connection, as an asyncio protocol.

    Parameters
    ----------
    user, timing, clock, request
        The association's.
    disk
        Does what its user waits for.
    on_close
        Called when the connection is gone.

    Attributes
    ----------
    association
        What it carries.

    """

    def __init__(
        self,
        user: User,
        *,
        timing: Timing,
        clock: Clock,
        disk: Executor | None = None,
        request: AssociateRequest | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.association = Association(user, self, timing=timing, clock=clock, request=request)
        self._timing = timing
        self._disk = disk
        self._on_close = on_close
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._working: asyncio.Task[None] | None = None
        self._artim: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    # --- what the transport tells ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} is no stream")
        self._transport = transport
        self.association.connected()
        self._go_on()
        self._look()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Give the free end of the buffer."""
        return self.association.assembly.room

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        self.association.assembly.add(nbytes)
        self.association.received()
        self._go_on()

    def pause_writing(self) -> None:
        """Let no more be made for a peer that does not take what was sent."""
        self.association.is_clogged = True

    def resume_writing(self) -> None:
        """Go on."""
        self.association.is_clogged = False
        self._go_on()

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End, however it came."""
        if self._watch is not None:
            self._watch.cancel()
        self.association.disconnected(str(exc) if exc else "")
        self._begin_work()
        self._on_close()

    # --- what the association asks for ----------------------------------------------------------------------

    def write(self, content: bytes) -> None:
        """Send bytes in one piece."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(content)

    def end_writing(self) -> None:
        """Say that nothing more comes from us."""
        if self._transport is not None and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Close it once what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    def start_artim(self) -> None:
        """Start the ARTIM timer anew."""
        self.stop_artim()
        self._artim = asyncio.get_running_loop().call_later(self._timing.artim_s, self.association.artim_expired)

    def stop_artim(self) -> None:
        """Stop it."""
        if self._artim is not None:
            self._artim.cancel()
            self._artim = None

    def detach(self) -> int | None:
        """Give away its descriptor; None under TLS, or while something is unsent."""
        transport = self._transport
        if (
            transport is None
            or transport.get_write_buffer_size()
            or transport.get_extra_info("sslcontext") is not None
        ):
            return None
        transport.pause_reading()
        return os.dup(transport.get_extra_info("socket").fileno())

    # --- work, and time -------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Do the user's work, and stop reading while there is no room."""
        self._begin_work()
        must_pause = self.association.assembly.is_full
        if self._transport is not None and must_pause != self._is_paused:
            self._is_paused = must_pause
            if must_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _begin_work(self) -> None:
        """Do the user's work unless the peer takes nothing; what an association leaves is done in any case."""
        association = self.association
        is_time = association.has_ended or not association.is_clogged
        if association.work is not None and self._working is None and is_time:
            work = self._work(association.work)
            self._working = asyncio.get_running_loop().create_task(work, name="dicom message")

    async def _work(self, work: Work) -> None:
        done = asyncio.get_running_loop().run_in_executor(self._disk, work)
        await asyncio.wait((done,))

        def conclude() -> None:
            conclusion: Conclusion = done.result()
            conclusion()

        self._working = None
        self.association.conclude(conclude)
        self._go_on()

    def _look(self) -> None:
        wait_s = self.association.look()
        self._begin_work()
        if wait_s is not None:
            self._watch = asyncio.get_running_loop().call_later(wait_s, self._look)
