"""An instrument sheet: what a site writes about a console whose protocol nobody published.

A TOML file names the line's parameters, how bytes are cut into frames, where the fields stand in a frame, which of
them counts, and what to send. ``devices.probes.sheet_dialogue`` makes a driver of it; docs/instruments/sheets.md
explains each key.
"""

import re
import struct
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from devices.errors import FrameError
from devices.links import Character
from devices.probes.sheet_checksum import Rule, checksum, width

Values: TypeAlias = Mapping[str, int | float | str]
"""Fields of one frame by name: numbers of a struct, text of a line's groups."""

GREATEST: Final = 2.0**64
"""What no instrument counts, and no arithmetic overflows with."""


def _checked_pattern(pattern: str) -> str:
    try:
        re.compile(pattern.encode("latin-1"))
    except (re.error, UnicodeEncodeError) as exc:
        raise ValueError(f"{pattern!r} is no regular expression over bytes: {exc}") from exc
    return pattern


Pattern = Annotated[str, AfterValidator(_checked_pattern)]
"""A regular expression that must match the whole of a frame; characters are bytes (Latin-1)."""


def _checked_hex(text: str) -> str:
    try:
        bytes.fromhex(text)
    except ValueError as exc:
        raise ValueError(f"{text!r} is not pairs of hexadecimal digits, such as 'F5 FA'") from exc
    return text


Hex = Annotated[str, AfterValidator(_checked_hex)]


def _checked_text(text: str) -> str:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as exc:
        raise ValueError(f"{text!r} cannot be sent: {text[exc.start]!r} is no character of Latin-1") from exc
    return text


Text = Annotated[str, AfterValidator(_checked_text)]
"""What is sent: each character is a byte (Latin-1)."""


class Part(BaseModel):
    """A table of the sheet: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Framing(Part):
    """How bytes are cut into frames."""

    kind: Literal["line", "packet", "burst"] = Field(
        description="line: ended by CR, LF or both; packet: start bytes and a fixed length; burst: by pauses."
    )
    start_hex: Hex = Field(default="", description="packet: the bytes that each begins with.")
    length: int = Field(default=0, ge=0, le=4096, description="packet, burst: length of the whole frame, bytes.")
    gap_s: float = Field(default=0.1, gt=0, le=10, description="burst: pause that ends one, s.")
    greatest_length: int = Field(default=256, gt=0, le=4096, description="line: longest one, bytes.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "packet" and not 0 < len(bytes.fromhex(self.start_hex)) < self.length:
            raise ValueError("a packet needs start_hex and a length above its own")
        if self.kind == "burst" and not self.length:
            raise ValueError("a burst needs its length")
        return self


class Checksum(Part):
    """What tells a damaged frame."""

    rule: Rule = Field(description="Sum, its two's complement, exclusive or, or a cyclic one: 8 or 16 bits.")
    covers_from: int = Field(default=0, ge=0, description="First byte that it covers; the last is before itself.")
    omits: int = Field(default=0, ge=0, description="Bytes before itself that it does not cover, as NMEA's star.")
    lower_first: bool = Field(default=False, description="Of 16 bits the lower byte first, as Modbus has it.")
    field: str = Field(
        default="", description="line: the group that holds it, in hexadecimal. Else it is the frame's last bytes."
    )


class Fields(Part):
    """Where the fields stand in a frame: a pattern with named groups, or a struct with names."""

    pattern: Pattern | None = Field(default=None, description="Python's re over the whole frame, (?P<name>…).")
    struct: str | None = Field(default=None, description="Python's struct over the whole frame, such as '>2xHB'.")
    names: tuple[str, ...] = Field(default=(), description="struct: names of its numbers, in order.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.pattern is None) == (self.struct is None):
            raise ValueError("give either pattern or struct")
        if self.struct is not None:
            try:
                values = struct.unpack(self.struct, bytes(struct.calcsize(self.struct)))
            except (struct.error, UnicodeEncodeError) as exc:
                raise ValueError(f"struct {self.struct!r}: {exc}") from exc
            if len(values) != len(self.names):
                raise ValueError(
                    f"struct {self.struct!r} gives {len(values)} numbers, names has {len(self.names)}"
                )
            if any(isinstance(value, bytes) for value in values):
                raise ValueError(f"struct {self.struct!r}: c, s and p give text, no numbers; pass over bytes by x")
        return self

    @cached_property
    def known(self) -> frozenset[str]:
        """Names that a frame has."""
        if self.pattern is None:
            return frozenset(self.names)
        return frozenset(re.compile(self.pattern.encode("latin-1")).groupindex)


KEYS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "cps_per_unit": ("mean", "rate"),
    "time_constant_s": ("rate",),
    "mask": ("counts", "total"),
    "wraps_at": ("total",),
    "greatest_cps": ("total",),
}
"""Keys that say something of some quantities only: of another a factor would be left out in silence."""


class Counting(Part):
    """Which field counts, and how."""

    field: str = Field(description="Name of the field.")
    quantity: Literal["counts", "mean", "total", "rate"] = Field(
        description="counts: of one period; mean: a rate over just one period; total: a sum whose rise counts; "
        "rate: a smoothed mean, to be undone."
    )
    period_s: float = Field(
        gt=0, le=4, description="Time from frame to frame, s; of counts and mean: what they were in."
    )
    base: Literal[10, 16] = Field(default=10, description="pattern: base of whole numbers.")
    mask: int | None = Field(default=None, gt=0, description="counts, total: bits that belong to the number.")
    full_at: int | None = Field(default=None, gt=0, description="counts: this and more may be too few: saturated.")
    greatest: int | None = Field(default=None, gt=0, description="More than this is no value: refused.")
    shortest_s: float = Field(
        default=0.0, ge=0, description="A frame sooner than this after the one before is that again: refused."
    )
    wraps_at: int | None = Field(default=None, gt=0, description="total: the sum goes on at 0 from here.")
    greatest_cps: float | None = Field(default=None, gt=0, description="total: a faster rise is a restart.")
    cps_per_unit: float = Field(default=1.0, gt=0, description="mean, rate: counts per second for one unit.")
    time_constant_s: float | None = Field(default=None, gt=0, description="rate: of its exponential mean, s.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.quantity == "total" and self.greatest_cps is None:
            raise ValueError("a total needs greatest_cps, or a restart would look like counts")
        if self.quantity == "rate" and self.time_constant_s is None:
            raise ValueError(
                "a rate needs time_constant_s: a smoothed value is no count until it is undone; "
                'one that is the mean over just its own period is a "mean"'
            )
        for key, quantities in KEYS_OF.items():
            if key in self.model_fields_set and self.quantity not in quantities:
                raise ValueError(f"{key} is of {' and '.join(quantities)}, and quantity is {self.quantity}")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether the field holds whole numbers: what is counted is, a rate need not be."""
        return self.quantity in {"counts", "total"}


class Mark(Part):
    """What a field's value says of the reading."""

    field: str
    equals: str = Field(description="The field as text; of a struct, its number in decimal.")
    status: Literal["overload", "saturated", "refused"] = Field(description="refused: it is no reading.")


class Bound(Part):
    """Two fields of which one cannot be less than the other, such as CPM and CPS."""

    greater: str
    lesser: str


class Greeting(Part):
    """What is sent before it counts."""

    send: Text = Field(default="", description="Text, Latin-1; its line end is part of it.")
    send_hex: Hex = Field(default="", description="The same in hexadecimal, instead.")
    answer: Pattern = Field(description="The whole frame that answers it.")
    is_identity: bool = Field(default=False, description="Its first group says which instrument this is.")
    patience_s: float = Field(default=0.5, gt=0, le=5)

    @model_validator(mode="after")
    def _identifies(self) -> Self:
        if self.is_identity and not re.compile(self.answer.encode("latin-1")).groups:
            raise ValueError(f"answer {self.answer!r} has no group, of which is_identity says that it identifies")
        return self

    @property
    def sent(self) -> bytes:
        """The bytes."""
        return bytes.fromhex(self.send_hex) or self.send.encode("latin-1")


class Poll(Part):
    """What is sent for each frame."""

    send: Text = ""
    send_hex: Hex = ""
    every_s: float = Field(gt=0, le=4, description="Time from question to question, s.")
    answer_s: float = Field(default=0.25, gt=0, le=4, description="Longest wait for an answer, s.")

    @property
    def sent(self) -> bytes:
        """The bytes."""
        return bytes.fromhex(self.send_hex) or self.send.encode("latin-1")


class Sheet(Part):
    """A whole sheet."""

    name: str = Field(min_length=1, description="What people call the instrument.")
    baud_rate: int = Field(ge=50, le=4_000_000)
    character: Character = "8N1"
    framing: Framing
    fields: Fields
    counting: Counting
    checksum: Checksum | None = None
    marks: tuple[Mark, ...] = ()
    bounds: tuple[Bound, ...] = ()
    ignore: tuple[Pattern, ...] = Field(default=(), description="Frames that say nothing.")
    restarts: tuple[Pattern, ...] = Field(default=(), description="Frames that say that it has restarted.")
    start: tuple[Greeting, ...] = Field(default=(), description="Sent at the opening, each until it is answered.")
    begin: Text = Field(default="", description="Sent when all is answered; no answer is waited for.")
    stop: Text = Field(default="", description="Sent before the port is closed.")
    poll: Poll | None = Field(default=None, description="None: it sends by itself.")

    @model_validator(mode="after")
    def _names_meet(self) -> Self:
        used = [self.counting.field, *(mark.field for mark in self.marks)]
        used += [name for bound in self.bounds for name in (bound.greater, bound.lesser)]
        if self.checksum is not None and self.checksum.field:
            used.append(self.checksum.field)
        if strange := [name for name in used if name not in self.fields.known]:
            raise ValueError(
                f"no field is called {strange[0]!r}: there are {', '.join(sorted(self.fields.known))}"
            )
        return self

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile((self.fields.pattern or "").encode("latin-1"))

    def decode(self, raw: bytes) -> Values:
        """Read a frame's fields; ``FrameError`` with the reason where it is none."""
        values: dict[str, int | float | str]
        if self.fields.struct is not None:
            if len(raw) != struct.calcsize(self.fields.struct):
                expected = struct.calcsize(self.fields.struct)
                raise FrameError(f"{len(raw)} bytes, the struct has {expected}", raw)
            values = dict(zip(self.fields.names, struct.unpack(self.fields.struct, raw), strict=True))
            self._verify(raw, None)
        else:
            match = self._pattern.fullmatch(raw)
            if match is None:
                raise FrameError("does not match fields.pattern", raw)
            values = {name: (text or b"").decode("latin-1") for name, text in match.groupdict().items()}
            if self.checksum is not None:
                field = self.checksum.field
                self._verify(raw[: match.start(field)] if field else raw, match[field] or b"" if field else None)
        for bound in self.bounds:
            if self.number(values, bound.greater) < self.number(values, bound.lesser):
                raise FrameError(f"{bound.greater} is below {bound.lesser}", raw)
        return values

    def number(self, values: Values, field: str) -> float:
        """Read a field as a number that can count; ``FrameError`` where it is none, infinite or absurdly large."""
        value, counting = values[field], self.counting
        try:
            if isinstance(value, str):
                number = int(value, counting.base) if counting.is_whole else float(value)
            else:
                number = value
        except ValueError as exc:
            wanted = f"whole number in base {counting.base}" if counting.is_whole else "number"
            raise FrameError(f"{field} is {value!r}, no {wanted}", str(value).encode("latin-1")) from exc
        if not (-GREATEST < number < GREATEST and abs(number) * counting.cps_per_unit < GREATEST):
            raise FrameError(f"{field} is {value!r}, no number that counts", str(value).encode("latin-1"))
        return number

    def _verify(self, raw: bytes, written: bytes | None) -> None:
        """Compare a checksum: ``written`` in hexadecimal behind ``raw``, or where it is None raw's last bytes."""
        if self.checksum is None:
            return
        rule, length = self.checksum.rule, width(self.checksum.rule)
        if written is None:
            body, sent = raw[:-length], raw[-length:]
        elif re.fullmatch(rb"[0-9A-Fa-f]{1,%d}" % (2 * length), written):
            body, sent = raw, bytes.fromhex(written.decode().zfill(2 * length))
        else:
            raise FrameError(f"checksum {written!r} is not {2 * length} hexadecimal digits", raw)
        found = int.from_bytes(sent, "little" if self.checksum.lower_first else "big")
        expected = checksum(rule, body[self.checksum.covers_from : len(body) - self.checksum.omits])
        if found != expected:
            raise FrameError(f"checksum is {found:X}, {rule} gives {expected:X}", raw)
