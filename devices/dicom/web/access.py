"""Who may ask: whoever sends the secret of a client that the site file names, from no foreign page.

HTTP has no AE titles, so each client has a secret of its own, sent as ``Authorization: Bearer`` (RFC 6750 2.1) and
never in a URL, where logs would keep it. What is compared are digests, in constant time.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from devices.dicom.settings import WebClient
from devices.origin import refuse_origin

SHORTEST_TOKEN: Final = 32
"""Characters; as 16 random bytes in hexadecimal."""

BEARER: Final = "bearer"


class TokenUnusable(Exception):
    """Raised when a client's secret cannot be had; the message says which and what to do."""


class Denied(Exception):
    """Raised when a request is not answered: with a status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_digest(path: Path) -> bytes:
    """Read a token file and give its token's digest; raises ``TokenUnusable``."""
    try:
        mode, token = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise TokenUnusable(
            f"{path}: the token cannot be read: {reason}: put it back, or make another: {_made(path)}"
        ) from exc
    if mode & 0o077:
        raise TokenUnusable(f"{path}: others may read the token: chmod 600 {path}")
    if len(token) < SHORTEST_TOKEN or len(token.split()) != 1:
        raise TokenUnusable(f"{path}: a token has {SHORTEST_TOKEN} characters or more on one line: {_made(path)}")
    return hashlib.sha256(token.encode()).digest()


def _made(path: Path) -> str:
    return f"(umask 077; openssl rand -hex 32 > {path.name})"


def read_digests(clients: Sequence[WebClient]) -> dict[str, str]:
    """Give each client's digest, hexadecimal, by AE title; raises ``TokenUnusable``."""
    digests = {client.ae_title: read_digest(client.token_file).hex() for client in clients}
    if len(set(digests.values())) < len(digests):
        raise TokenUnusable("two clients have one token: who asks could not be told")
    return digests


class Access:
    """Knows the clients.

    Parameters
    ----------
    clients
        Who may ask, each with its secret's digest.
    names
        Of the server, as URLs call it.

    """

    def __init__(self, clients: Mapping[bytes, WebClient], *, names: tuple[str, ...]) -> None:
        self._clients = clients
        self._names = frozenset(names)

    def admit(self, headers: Mapping[str, str], *, to_store: bool) -> WebClient:
        """Say whose request this is; raises ``Denied``."""
        refusal = refuse_origin(headers, hosts=self._names)
        if refusal is not None:
            raise Denied(403, refusal)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(token.strip().encode()).digest()
        found = None
        for known, client in self._clients.items():  # each is compared, whichever it is
            if hmac.compare_digest(known, digest):
                found = client
        if found is None or scheme.lower() != BEARER:
            raise Denied(401, "no token of a client" if token else "no token")
        if to_store and not found.may_store:
            raise Denied(403, f"{found.ae_title} may not store (may_store)")
        return found
