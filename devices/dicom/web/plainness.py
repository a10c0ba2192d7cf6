"""Plain HTTP on the port for HTTPS: answered in plain words, once, and told of; nothing else is said plainly."""

import ssl
from collections.abc import Callable
from typing import Any, Final

SENTENCE: Final = "plain HTTP came to the port for HTTPS: use https:// in its URL"

ANSWER: Final = (
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    f"Content-Length: {len(SENTENCE) + 1}\r\n"
    "Connection: close\r\n"
    f"\r\n{SENTENCE}\n"
).encode()


class _Handshake(ssl.SSLObject):
    """One connection's TLS, which knows where its bytes go."""

    outgoing: ssl.MemoryBIO
    tell: Callable[[str], None]
    _is_answered = False

    def do_handshake(self) -> None:
        """Go on with the handshake; where plain HTTP came, answer that, and then wait for the peer to go."""
        if self._is_answered:
            raise ssl.SSLWantReadError
        try:
            super().do_handshake()
        except ssl.SSLError as exc:
            if exc.reason != "HTTP_REQUEST":
                raise
            self._is_answered = True
            self.outgoing.write(ANSWER)
            self.tell(SENTENCE)
            # asyncio sends what is there, and waits for more until its time for handshakes is over
            raise ssl.SSLWantReadError from exc


class ListeningContext(ssl.SSLContext):
    """TLS whose connections answer plain HTTP; set ``tell``, which is called with a sentence then."""

    tell: Callable[[str], None]

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any
    ) -> ssl.SSLObject:
        """Begin a connection."""
        self.sslobject_class = _Handshake
        made = super().wrap_bio(incoming, outgoing, *args, **named)
        if not isinstance(made, _Handshake):  # asked for above
            raise TypeError(f"{made!r} is no handshake of ours")
        made.outgoing, made.tell = outgoing, self.tell
        return made
