"""Checksums that an instrument sheet can name.

Sums and exclusive or are ours; the cyclic ones are fastcrc's, by the names of Greg Cook's catalogue
(reveng.sourceforge.io/crc-catalogue): ``crc8-smbus``, ``crc8-maxim`` (Dallas, one wire), ``crc16-modbus``,
``crc16-arc``, ``crc16-ccitt`` (catalogued as IBM-3740, often called CCITT-FALSE), ``crc16-xmodem`` and
``crc16-kermit``.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor
from typing import Final, Literal, TypeAlias

from fastcrc import crc8, crc16

Rule: TypeAlias = Literal[
    "sum8",
    "twos8",
    "xor8",
    "sum16",
    "twos16",
    "crc8-smbus",
    "crc8-maxim",
    "crc16-modbus",
    "crc16-arc",
    "crc16-ccitt",
    "crc16-xmodem",
    "crc16-kermit",
]

RULES: Final[Mapping[Rule, tuple[int, Callable[[bytes], int]]]] = {
    "sum8": (1, lambda body: sum(body) % 0x100),
    "twos8": (1, lambda body: -sum(body) % 0x100),
    "xor8": (1, lambda body: reduce(xor, body, 0)),
    "sum16": (2, lambda body: sum(body) % 0x10000),
    "twos16": (2, lambda body: -sum(body) % 0x10000),
    "crc8-smbus": (1, crc8.smbus),
    "crc8-maxim": (1, crc8.maxim_dow),
    "crc16-modbus": (2, crc16.modbus),
    "crc16-arc": (2, crc16.arc),
    "crc16-ccitt": (2, crc16.ibm_3740),
    "crc16-xmodem": (2, crc16.xmodem),
    "crc16-kermit": (2, crc16.kermit),
}
"""How many bytes each takes, and how it is made."""


def width(rule: Rule) -> int:
    """Give the bytes that a checksum takes."""
    return RULES[rule][0]


def checksum(rule: Rule, body: bytes) -> int:
    """Give the checksum of a body by the rule's name."""
    return RULES[rule][1](body)
