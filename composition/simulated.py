"""The shipped site of the simulated room, and the files that simulated calibrations go to."""

from importlib.resources import files
from pathlib import Path

from acquisition.logbook.settings import LogbookSettings
from acquisition.tracking.settings import RegistrationSettings, TimingSettings, TipSettings
from config.settings import Site
from config.site import read_site
from simulators.theatre import TOOL_FROM_TIP

SIMULATED_FOLDER = Path("var")
"""Where ``acquire --simulate`` writes, and ``radionav --simulate`` looks first for a calibration."""


def simulated_site() -> Site:
    """Read the shipped site file of the simulated room."""
    return read_site(Path(str(files("config"))) / "simulated.toml")


def simulated_calibration(probe: str) -> Path:
    """Name the file of a simulated probe's calibration."""
    return SIMULATED_FOLDER / f"simulated-{probe}.json"


def simulated_logbook() -> LogbookSettings:
    """Say where the simulated bench's logbook is: none of its records ever stands among real ones."""
    return LogbookSettings(
        database=SIMULATED_FOLDER / "simulated-quality.sqlite",
        key=SIMULATED_FOLDER / "simulated-quality.key",
        reports=SIMULATED_FOLDER / "reports",
    )


def simulated_tip() -> TipSettings:
    """Say where the simulated tip's calibration goes, and which way is up on the simulated marker."""
    up = tuple(TOOL_FROM_TIP.rotation[:, 1].tolist())
    return TipSettings(file=SIMULATED_FOLDER / "simulated-tip.json", up=up, longest_s=20.0)


def simulated_registration() -> RegistrationSettings:
    """Say where the simulated patient's registration goes."""
    return RegistrationSettings(file=SIMULATED_FOLDER / "simulated-registration.json", longest_s=20.0)


def simulated_timing() -> TimingSettings:
    """Say where the simulated delay goes."""
    return TimingSettings(file=SIMULATED_FOLDER / "simulated-timing.json")
