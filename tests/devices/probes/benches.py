"""Every driver there is, each with its simulated instrument, and what its wire lets it find out."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import get_args

from devices import probes
from devices.probes import (
    amptek,
    gammascout,
    gmc,
    lb134,
    ludlum375,
    ludlum3030,
    mightyohm,
    opengamma,
    radeye,
    radpro,
    sheet_dialogue,
)
from devices.probes.dialogue import Dialogue
from devices.probes.settings import ProbeSettings
from simulators.ports import Instrument
from simulators.probes.amptek import SimulatedAmptek
from simulators.probes.counting import Counter
from simulators.probes.gammascout import SimulatedGammaScout
from simulators.probes.gmc import SimulatedGmc
from simulators.probes.lb134 import SimulatedLb134
from simulators.probes.ludlum375 import SimulatedLudlum375
from simulators.probes.ludlum3030 import SimulatedLudlum3030
from simulators.probes.mightyohm import SimulatedMightyOhm
from simulators.probes.opengamma import SimulatedOpenGamma
from simulators.probes.radeye import SimulatedRadEye
from simulators.probes.radpro import SimulatedRadPro
from simulators.probes.ratemeter import MeteredRate

PORT = "/dev/ttyUSB0"
SHEETS = Path(__file__).parents[3] / "config" / "instruments"
TIME_CONSTANT_S = 2.0


class Kind(Enum):
    """What a reading holds."""

    EACH = "the counts of one period, as they are"
    SUM = "the rise of a sum"
    RATE = "an undone mean"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A driver with its instrument.

    Attributes
    ----------
    settings
        Its entry in the site file.
    instrument
        Makes the simulated one of a counter.
    kind
        What its readings hold.
    period_s
        Longest time between two readings while all is well, s.
    finds
        Faults within a message whose traces its wire cannot hide: "loss", "flip", "double".
    held_bytes
        Most that it may hold of a message that never ends.

    """

    settings: ProbeSettings
    instrument: Callable[[Counter], Instrument]
    kind: Kind
    period_s: float
    finds: frozenset[str]
    held_bytes: int = 50_000

    def dialogue(self) -> Dialogue:
        """Give the talk; every driver but the Amptek's, which holds its own, has one."""
        made = self.settings.dialogue("gamma")  # type: ignore[attr-defined]
        assert isinstance(made, Dialogue)
        return made


def _rate(counter: Counter) -> MeteredRate:
    return MeteredRate(counter=counter, time_constant_s=TIME_CONSTANT_S, rate_cps=200.0)


def _as_mightyohm(counter: Counter) -> SimulatedMightyOhm:
    return SimulatedMightyOhm(
        counter.events, powered_at_s=counter.powered_at_s, rng=counter.rng, dead_time_s=0.0, speed=counter.speed
    )


BENCHES: Mapping[str, Bench] = {
    "radpro": Bench(
        settings=radpro.Settings(driver="radpro", port=PORT),
        instrument=SimulatedRadPro,
        kind=Kind.SUM,
        period_s=0.1,
        finds=frozenset({"loss", "flip", "double"}),
    ),
    "gmc-rfc1201": Bench(
        settings=gmc.Settings(driver="gmc", port=PORT),
        instrument=SimulatedGmc,
        kind=Kind.EACH,
        period_s=1.1,
        finds=frozenset({"loss", "double"}),
    ),
    "gmc-rfc1801": Bench(
        settings=gmc.Settings(driver="gmc", port=PORT),
        instrument=lambda counter: SimulatedGmc(counter, version=b"GMC-600+Re 1.14"),
        kind=Kind.EACH,
        period_s=1.1,
        finds=frozenset({"loss", "double"}),
    ),
    "gammascout": Bench(
        settings=gammascout.Settings(driver="gammascout", port=PORT),
        instrument=SimulatedGammaScout,
        kind=Kind.EACH,
        period_s=2.0,
        finds=frozenset({"loss", "double"}),
    ),
    "mightyohm": Bench(
        settings=mightyohm.Settings(driver="mightyohm", port=PORT),
        instrument=_as_mightyohm,
        kind=Kind.EACH,
        period_s=1.0,
        finds=frozenset(),
    ),
    "radeye": Bench(
        settings=radeye.Settings(driver="radeye", port=PORT, time_constant_s=TIME_CONSTANT_S),
        instrument=lambda counter: SimulatedRadEye(_rate(counter)),
        kind=Kind.RATE,
        period_s=1.0,
        finds=frozenset({"double"}),
    ),
    "ludlum375": Bench(
        settings=ludlum375.Settings(
            driver="ludlum375", port=PORT, cps_per_unit=2.0, time_constant_s=TIME_CONSTANT_S
        ),
        instrument=lambda counter: SimulatedLudlum375(_rate(counter), cps_per_unit=2.0),
        kind=Kind.RATE,
        period_s=2.0,
        finds=frozenset({"loss", "double"}),
    ),
    "lb134": Bench(
        settings=lb134.Settings(driver="lb134", port=PORT),
        instrument=SimulatedLb134,
        kind=Kind.EACH,
        period_s=1.3,
        finds=frozenset({"loss", "flip", "double"}),
    ),
    "ludlum3030": Bench(
        # while a test keeps it silent for a minute it must not give up
        settings=ludlum3030.Settings(driver="ludlum3030", port=PORT, interval_s=0.25, silence_s=90.0),
        instrument=lambda counter: SimulatedLudlum3030(counter, count_s=1.0, held=8),
        kind=Kind.EACH,
        period_s=1.3,
        finds=frozenset({"loss", "flip", "double"}),
    ),
    "opengamma": Bench(
        settings=opengamma.Settings(driver="opengamma", port=PORT),
        instrument=SimulatedOpenGamma,
        kind=Kind.SUM,
        period_s=1.0,
        finds=frozenset({"double"}),
        held_bytes=400_000,
    ),
    "sheet": Bench(
        settings=sheet_dialogue.Settings(driver="sheet", port=PORT, sheet=SHEETS / "gmc300.toml", silence_s=1.8),
        instrument=SimulatedGmc,
        kind=Kind.EACH,
        period_s=1.1,
        finds=frozenset({"loss", "double"}),
    ),
    "amptek": Bench(
        settings=amptek.Settings(
            driver="amptek", port=PORT, interval_s=0.1, window_kev=(126, 154), energy_kev_per_channel=1.0
        ),
        instrument=lambda counter: SimulatedAmptek(
            counter.events, powered_at_s=counter.powered_at_s, rng=counter.rng, dead_time_s=0.0
        ),
        kind=Kind.SUM,
        period_s=0.2,
        finds=frozenset({"loss", "flip", "double"}),
    ),
}


def driver_of(settings: type[ProbeSettings]) -> str:
    """Name of a driver in the site file."""
    (name,) = get_args(settings.model_fields["driver"].annotation)
    return str(name)


def found_drivers() -> set[str]:
    """Every driver in the room: each module of it that has settings."""
    modules = (
        importlib.import_module(f"devices.probes.{found.name}") for found in pkgutil.iter_modules(probes.__path__)
    )
    entries = (vars(module).get("Settings") for module in modules)
    return {driver_of(entry) for entry in entries if entry is not None}
