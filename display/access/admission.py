"""Who somebody is by her token, and since when no longer.

Displays and engineers' programs have tokens in files; persons sign in with a secret and get one that holds for a
working day. A file that changes is read again: who is gone from it is out within a second, in mid-stream too. Of a
file that cannot be used nobody is let in, until it can be again; the others' go on.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from devices.clock import Clock
from devices.dicom.web.access import TokenUnusable, read_digest
from display.access.people import MAY, PeopleUnusable, Person, Role, read_people

LOOKED_AT_EVERY_S = 0.1
"""How often the files are looked at: of the second in which somebody must be out most is a busy machine's."""

ENDS_WITHIN_S = 0.5
"""How late a session ends whose time is over."""

SIGNED_IN_FOR_S = 12 * 3600.0

MOST_FAILURES, WITHIN_S = 5, 60.0
"""Wrong secrets after which nobody at their address is asked for a while: guessing takes years, a slip no time."""

MOST_OF_ALL = 50
"""Wrong secrets from wherever, within the same time, after which nobody at all is asked."""

MOST_SESSIONS = 200

log = structlog.get_logger()


class TokenShared(TokenUnusable):
    """Raised where the token of engineers' programs is, or was since the start, one of displays."""


Fault = PeopleUnusable | TokenUnusable
"""Why a file lets nobody in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who was let in: a person by her name, else a display or a program."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether she may do what this role is for."""
        return role in MAY[self.role]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFiles:
    """Where tokens and persons stand.

    Attributes
    ----------
    view_token, engineer_token
        Of displays, and of programs that read the room's figures; None for none.
    people
        Who may sign in.

    """

    view_token: Path
    people: Path
    engineer_token: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    person: Person
    ends_s: float


class SignInRefused(Exception):
    """Raised when nobody is signed in; the message says why, and never which of name and secret was wrong."""


class TooManyTries(SignInRefused):
    """Raised while nobody is asked because too many secrets were wrong."""


@dataclass(slots=True)
class Admission:
    """Knows the tokens of one room.

    Raises
    ------
    PeopleUnusable, TokenUnusable
        Where the file of persons or of the displays' token cannot be used at the start: nobody could look or act;
        ``TokenShared`` where engineers' programs have the displays' token.

    """

    files: AccessFiles
    clock: Clock
    _people: Mapping[str, Person] = field(init=False)
    _tokens: Mapping[bytes, Visitor] = field(init=False)
    _faults: Mapping[Path, Fault] = field(init=False)
    _sessions: dict[bytes, _Session] = field(init=False, default_factory=dict)
    _of_displays: set[bytes] = field(init=False, default_factory=set)
    """Digests of all tokens that displays had since the start: none of them is an engineer's later."""
    _stamps: tuple[object, ...] = field(init=False)
    _failures: deque[tuple[float, str]] = field(init=False, default_factory=lambda: deque(maxlen=MOST_OF_ALL))
    """When and from which address the last wrong secrets came."""
    _trying: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _changed: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Read the files."""
        self._stamps = self._stamp()
        self._people, self._tokens, self._faults = self._read()
        for path, fault in self._faults.items():
            if path in {self.files.view_token, self.files.people} or isinstance(fault, TokenShared):
                raise fault
            _complain(fault)

    def visitor(self, token: str) -> Visitor | None:
        """Say whose token this is; None where it is nobody's any more."""
        digest, found = _digest(token), None
        for known, visitor in self._tokens.items():  # each is compared, whichever it is
            if hmac.compare_digest(known, digest):
                found = visitor
        session = self._sessions.get(digest)
        if session is not None and session.ends_s > self.clock():
            found = Visitor(name=session.person.name, role=session.person.role)
        return found

    async def sign_in(self, name: str, secret: str, *, address: str) -> tuple[str, Visitor]:
        """Sign a person in at a network address; gives her token.

        Whoever guesses at one address keeps nobody at another from signing in.

        Raises
        ------
        SignInRefused
            Where the secret is not hers, or there is no such person; while the file of persons cannot be used,
            which counts as no wrong one; ``TooManyTries`` while nobody is asked.

        """
        async with self._trying:  # one at a time: each costs memory and a tenth of a second of a processor
            now_s = self.clock()
            recent = [each for at_s, each in self._failures if now_s - at_s < WITHIN_S]
            if recent.count(address) >= MOST_FAILURES or len(recent) == MOST_OF_ALL:
                raise TooManyTries("too many wrong secrets: wait a minute")
            person = self._people.get(name)
            # a name that is nobody's takes as long as one that is
            asked = person or next(iter(self._people.values()), None)
            is_known = asked is not None and await asyncio.to_thread(asked.knows, secret)
            if self.files.people in self._faults:
                raise SignInRefused("the file of persons cannot be used: see the log")
            if person is None or not is_known or self._people.get(name) is not person:
                self._count_wrong(now_s, address)
                raise SignInRefused("name or secret is wrong")
        token = secrets.token_urlsafe(32)
        self._drop({digest for digest, session in self._sessions.items() if session.ends_s <= now_s})
        if len(self._sessions) >= MOST_SESSIONS:
            self._drop({next(iter(self._sessions))})
        self._sessions[_digest(token)] = _Session(person=person, ends_s=now_s + SIGNED_IN_FOR_S)
        log.info("signed in", person=name, role=str(person.role))
        return token, Visitor(name=person.name, role=person.role)

    def _count_wrong(self, now_s: float, address: str) -> None:
        self._failures.append((now_s, address))
        log.warning("sign-in refused", address=address)

    def sign_out(self, token: str) -> None:
        """End a person's session at once, wherever it is used."""
        self._drop({_digest(token)})

    async def until_gone(self, token: str) -> None:
        """Wait until a token is nobody's any more."""
        while self.visitor(token) is not None:
            try:
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await self._changed.wait()
            except TimeoutError:
                continue  # a session ends by the clock

    async def watch(self) -> None:
        """Look at the files for ever, and read them again where they changed."""
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY_S)
            stamps = await asyncio.to_thread(self._stamp)
            if stamps == self._stamps:
                continue
            self._stamps = stamps
            self._people, self._tokens, self._faults = await asyncio.to_thread(self._read)
            for fault in self._faults.values():
                _complain(fault)
            log.info("access files read", unusable=len(self._faults))
            gone = {
                digest
                for digest, session in self._sessions.items()
                if self._people.get(session.person.name) != session.person
            }
            self._drop(gone)
            self._tell()

    def _drop(self, digests: set[bytes]) -> None:
        for digest in digests:
            self._sessions.pop(digest, None)
        if digests:
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _read(self) -> tuple[Mapping[str, Person], Mapping[bytes, Visitor], Mapping[Path, Fault]]:
        """Read each file by itself: persons, tokens, and what is wrong with which."""
        tokens: dict[bytes, Visitor] = {}
        faults: dict[Path, Fault] = {}
        for path, visitor in (
            (self.files.view_token, Visitor(name="a display", role=Role.VIEW)),
            (self.files.engineer_token, Visitor(name="an engineer's program", role=Role.ENGINEER)),
        ):
            if path is None:
                continue
            try:
                digest = read_digest(path)
            except TokenUnusable as exc:
                faults[path] = exc
                continue
            if visitor.role is Role.VIEW:
                self._of_displays.add(digest)
            elif digest in self._of_displays:
                faults[path] = TokenShared(f"{path}: displays have or had the same token: make another")
                continue
            tokens[digest] = visitor
        try:
            return read_people(self.files.people), tokens, faults
        except PeopleUnusable as exc:
            return {}, tokens, faults | {self.files.people: exc}

    def _stamp(self) -> tuple[object, ...]:
        """Say what the files are now, without reading them."""
        stamps: list[object] = []
        for path in (self.files.view_token, self.files.engineer_token, self.files.people):
            try:
                stat = path.stat() if path else None
            except OSError as exc:
                stamps.append(exc.errno)
            else:
                stamps.append(stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_mode))
        return tuple(stamps)


def _complain(fault: Fault) -> None:
    log.error("access", reason=f"{fault}; until then nobody is let in by it")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
