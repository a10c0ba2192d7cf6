"""What each request needs, whose it is, and how many of them somebody may send."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from fastapi.datastructures import Headers
from fastapi.responses import PlainTextResponse

from devices.clock import Clock
from display.access.admission import Admission, Visitor
from display.access.people import Role
from display.asgi import ASGIApp, Receive, Scope, Send

COOKIE = "radionav"
"""Holds the token for what a browser fetches by itself, as a report in a page of its own; never for what acts."""

BURST, A_SECOND = 300.0, 100.0
"""Requests that one address may send at once, and for how many of them each second makes up."""

MOST_ADDRESSES = 1000

INSTALLING = ("tool", "axis", "timing")
"""Calibrations of a probe before there is a patient."""

INSTALLING_PATHS = tuple(f"/v1/calibrations/{step}" for step in INSTALLING)
INSTALLING_ACTS = {f"{path}/acts" for path in INSTALLING_PATHS}

THIS_MACHINE = Visitor(name="this machine", role=Role.ACT)
"""Who acts where nobody signs in: whoever stands at this machine's own screen."""

FREE = ("/v1/sign-in", "/v1/sign-out", "/v1/feed", "/v1/events", "/asyncapi.json")
"""Answered to everybody: what lets in, what is let in by its own first message, and what describes it."""


@dataclass(slots=True)
class Allowance:
    """How many requests an address may still send (token bucket)."""

    clock: Clock
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def spend(self, address: str) -> bool:
        """Take one off; false where none is left."""
        now_s = self.clock()
        left, since_s = self._left.pop(address, (BURST, now_s))
        left = min(BURST, left + (now_s - since_s) * A_SECOND)
        is_allowed = left >= 1.0
        self._left[address] = (left - 1.0 if is_allowed else left, now_s)
        if len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)
        return is_allowed


def needed_roles(path: str, method: str) -> frozenset[Role]:
    """Say of which roles a request needs one; none at all for a request that is answered to everybody."""
    if path in FREE or not path.startswith(("/v1/", "/metrics")):
        return frozenset()
    if path.startswith("/metrics"):
        return frozenset({Role.ENGINEER})
    if path == "/v1/worklist":  # it names patients who are not in this room
        return frozenset({Role.ACT})
    if method in {"GET", "HEAD"}:
        return frozenset({Role.VIEW})
    if path in INSTALLING_ACTS:  # whoever acts in theatre may end what keeps the patient from being looked at
        return frozenset({Role.ACT, Role.ENGINEER})
    return frozenset({Role.ENGINEER if path.startswith(INSTALLING_PATHS) else Role.ACT})


def may_go_on(step: str, visitor: Visitor) -> bool:
    """Whether somebody may do more with a calibration that is under way than end it."""
    return step not in INSTALLING or visitor is THIS_MACHINE or visitor.may(Role.ENGINEER)


def token_of(headers: Mapping[str, str], *, method: str) -> str:
    """Find the token of a request; empty where it has none.

    A cookie is sent by the browser whoever asked, so that it serves for looking only.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if method not in {"GET", "HEAD"}:
        return ""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


class Gate:
    """ASGI middleware: says whose each request is, and refuses whose it may not be.

    Where nobody need sign in everybody is `THIS_MACHINE`.
    """

    def __init__(self, app: ASGIApp, *, admission: Admission | None, clock: Clock) -> None:
        self._app = app
        self._admission = admission
        self._allowance = Allowance(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client") or ("",)
        if not self._allowance.spend(str(client[0])):
            refused = PlainTextResponse("too many requests: wait a second", 429, {"retry-after": "1"})
            await refused(scope, receive, send)
            return
        method, needed = scope["method"], needed_roles(scope["path"], scope["method"])
        visitor: Visitor | None = THIS_MACHINE
        if self._admission is not None:
            visitor = self._admission.visitor(token_of(Headers(scope=scope), method=method))
            if needed and visitor is None:
                refused = PlainTextResponse("sign in first", 401, {"www-authenticate": "Bearer"})
                await refused(scope, receive, send)
                return
            if needed and visitor is not None and not any(visitor.may(role) for role in needed):
                await PlainTextResponse(f"{visitor.name} may not do this: sign in as somebody who may", 403)(
                    scope, receive, send
                )
                return
        scope.setdefault("state", {})["visitor"] = visitor or THIS_MACHINE
        await self._app(scope, receive, send)
