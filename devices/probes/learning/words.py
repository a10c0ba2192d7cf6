"""Words that stand beside numbers, and what they say of them; in small letters."""

from collections.abc import Mapping
from typing import Final

CPS_PER_UNIT: Final[Mapping[str, float]] = {
    "cps": 1.0,
    "ips": 1.0,
    "kcps": 1000.0,
    "cpm": 1 / 60,
    "ipm": 1 / 60,
    "kcpm": 1000 / 60,
}
"""Units of a rate, and how many counts per second one is."""
COUNTING: Final = frozenset(
    {
        *CPS_PER_UNIT,
        *("count", "counts", "cnt", "cnts", "cts", "pulse", "pulses", "imp", "impulse", "impulses", "rate", "net"),
        *("gross", "total", "events", "sum", "n", "hits"),
    }
)
BATTERY: Final = frozenset(
    {"bat", "batt", "battery", "vbat", "akku", "accu", "v", "volt", "volts", "mv", "%", "soc", "charge"}
)
HIGH_VOLTAGE: Final = frozenset({"hv", "bias", "kv"})
TEMPERATURE: Final = frozenset({"temp", "temperature", "tmp", "degc", "celsius"})
TIME: Final = frozenset({"time", "ms", "sec", "uptime", "clock", "tick", "ticks", "timestamp", "date"})
DOSE: Final = frozenset({"usv", "msv", "nsv", "sv", "usvh", "usvhr", "svh", "mrem", "rem", "gy", "ugy", "dose"})
KNOWN_PLACES: Final = BATTERY | HIGH_VOLTAGE | TEMPERATURE | TIME
"""Words beside numbers that will change, even where they never did in a session."""
