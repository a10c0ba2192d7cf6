"""The feed's messages: what keys do on the page besides its own."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

ActName: TypeAlias = Literal[
    "sound", "hold", "peak", "background", "mark", "procedure", "next step", "excision", "out", "bed",
    "specimen", "undo", "live image", "window", "colours", "lock", "head", "feet", "distance",
    "calibration",
]  # fmt: skip


class KeyState(Struct, frozen=True, kw_only=True):
    """What a key does besides the page's own, as that of a foot pedal."""

    key: Annotated[str, Meta(description="As `KeyboardEvent.key` or `.code` calls it.")]
    act: ActName
