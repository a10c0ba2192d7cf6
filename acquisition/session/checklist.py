"""The time-out: what must be so before the first cut, as far as the service can tell, for a person to confirm."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from acquisition.calibration import Calibration
from acquisition.session.plan import PlannedSource
from acquisition.session.procedure import Procedure
from devices.readings import DeviceHealth, LinkState

ItemName = Literal["nuclide", "probe", "window", "quality check", "tracker", "registration", "side"]

ITEMS: Final[tuple[ItemName, ...]] = (
    "nuclide",
    "probe",
    "window",
    "quality check",
    "tracker",
    "registration",
    "side",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of the time-out.

    Attributes
    ----------
    name
        Which.
    said
        What the service knows of it, in words.
    is_good
        False where that stands against going on; a person confirms what is good, and overrides what is not.

    """

    name: ItemName
    said: str
    is_good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What the room works with.

    Attributes
    ----------
    nuclide, window_kev
        In use by the site file; no window in keV for a probe that has no energies.
    window_said
        The window in words, where it is set in channels; empty where there is none, or it is in keV.
    calibration
        Of the probe in hand; None without one.
    stranger
        Why the probe is not the one that was calibrated; empty while it is.
    probe, tracker
        What their supervisors say; None before they said anything, and without a tracker.
    tracker_error_mm
        The tracker's own residual now, RMS; None where it does not say.
    is_registered
        Whether the study is joined to the patient on the table.
    doubt
        What speaks against tip or registration; empty where nothing does.

    """

    nuclide: str
    window_kev: tuple[float, float] | None
    calibration: Calibration | None
    stranger: str
    probe: DeviceHealth | None
    tracker: DeviceHealth | None
    tracker_error_mm: float | None
    is_registered: bool
    doubt: str = ""
    window_said: str = ""


def time_out(
    equipment: Equipment, procedure: Procedure, sources: Sequence[PlannedSource], *, now: datetime
) -> tuple[Item, ...]:
    """Go through the items in their order."""
    found = {
        "nuclide": _nuclide(equipment),
        "probe": _link(equipment.probe, "the calibrated one"),
        "window": _window(equipment),
        "quality check": _quality(equipment.calibration, today=now.astimezone().date()),
        "tracker": _tracker(equipment),
        "registration": _registration(equipment),
        "side": _side(procedure, sources),
    }
    if equipment.stranger:
        found["probe"] = (False, equipment.stranger)
    return tuple(Item(name=name, said=found[name][1], is_good=found[name][0]) for name in ITEMS)


def _nuclide(equipment: Equipment) -> tuple[bool, str]:
    calibration = equipment.calibration
    if calibration is None:
        return False, f"{equipment.nuclide}, and no calibration for it"
    return calibration.response.nuclide == equipment.nuclide, equipment.nuclide


def _window(equipment: Equipment) -> tuple[bool, str]:
    calibrated = equipment.calibration.response.window_kev if equipment.calibration else None
    if equipment.window_kev is None:
        if not equipment.window_said:
            return True, "all energies: this probe has no window"
        if calibrated is None:
            return False, f"{equipment.window_said}, and no calibration for it"
        # which keV its channels are, no site file says: whoever confirms it knows, or looks at the instrument
        low, high = calibrated
        return True, f"{equipment.window_said}; calibrated for {low:g} to {high:g} keV, see that they are the same"
    low, high = equipment.window_kev
    return calibrated == equipment.window_kev, f"{low:g} to {high:g} keV"


def _quality(calibration: Calibration | None, *, today: date) -> tuple[bool, str]:
    if calibration is None:
        return False, "not done: run acquire"
    provenance = calibration.provenance
    checked = provenance.ended_at.astimezone().date()
    passed = f"{len(provenance.results)} steps passed on {checked.isoformat()}"
    return checked == today, passed if checked == today else f"{passed}, not today: run acquire"


def _tracker(equipment: Equipment) -> tuple[bool, str]:
    error_mm = equipment.tracker_error_mm
    return _link(equipment.tracker, "live" if error_mm is None else f"live, residual {error_mm:.1f} mm")


def _registration(equipment: Equipment) -> tuple[bool, str]:
    if not equipment.is_registered:
        return False, "none: no direction"
    return not equipment.doubt, equipment.doubt or "joined"


def _link(health: DeviceHealth | None, live: str) -> tuple[bool, str]:
    if health is None:
        return False, "not there"
    if health.state is LinkState.LIVE:
        return True, live
    return False, health.detail or health.state.value


def _side(procedure: Procedure, sources: Sequence[PlannedSource]) -> tuple[bool, str]:
    sides = {
        source.name: source.side
        for source in sources
        if procedure.sorts.get(source.name, source.proposed) == "target"
    }
    if not sides:
        return False, "no target is planned"
    return True, ", ".join(f"{name}: {side}" for name, side in sides.items())
