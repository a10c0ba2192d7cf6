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

SHIPPED = Path(str(files("config"))) / "instruments"
SHIPPED_TIP, SHIPPED_TIMING = SHIPPED / "simulated-tip.json", SHIPPED / "simulated-room-timing.json"
"""What a simulated room begins with.

The tip was measured by ``acquire tool --simulate``, and does not expire; the delay is what the simulated wires
have: none, to 2 ms.
"""


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
    """Say where the delay of the simulated bench's probe goes; no room goes by it, whose probe tells sooner."""
    return TimingSettings(file=SIMULATED_FOLDER / "simulated-timing.json")


def tip_in_use() -> TipSettings:
    """Say by which tip is registered: what ``acquire tool --simulate`` measured, or else the shipped one."""
    measured = simulated_tip()
    return measured if measured.file.exists() else measured.model_copy(update={"file": SHIPPED_TIP})


def navigating_by(site: Site, **settings: TipSettings | RegistrationSettings | TimingSettings) -> Site:
    """Let a site navigate by other files, each named as in ``[navigation]``."""
    navigation = site.navigation and site.navigation.model_copy(update=settings)
    return site.model_copy(update={"navigation": navigation})
