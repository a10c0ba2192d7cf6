"""Where a request to a server of ours comes from: by its own name, and from no foreign page.

A browser will gladly connect any page on the internet to a server on this machine. The Host header stops
names that were pointed here (DNS rebinding), the Origin header stops foreign pages (cross-site WebSocket
hijacking, forged posts); programs without a browser send no Origin.
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit


def refuse_origin(headers: Mapping[str, str], *, hosts: Collection[str]) -> str | None:
    """Say why a request may not be answered, or None; ``hosts`` are the names that the server answers for."""
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        origin = headers.get("origin")
        own = origin is None or urlsplit(origin).netloc == host
    except ValueError:  # brackets that hold no address
        name, origin, own = "", host, False
    if name not in hosts:
        return f"this server does not answer for the host {host!r}"
    if not own:
        return f"pages from {origin} may not use this server"
    return None
