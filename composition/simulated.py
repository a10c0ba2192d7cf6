"""The shipped site of the simulated room, and the files that simulated calibrations go to."""

from importlib.resources import files
from pathlib import Path

from acquisition.durable import write_file
from acquisition.logbook.settings import LogbookSettings
from acquisition.tracking.settings import RegistrationSettings, TimingSettings, TipSettings
from composition.errors import ServiceError
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
    """Say where the delay of the simulated bench's probe goes."""
    return TimingSettings(file=SIMULATED_FOLDER / "simulated-timing.json")


def simulated_room_timing() -> TimingSettings:
    """Say where the delay of the simulated room's probe goes: it tells its counts sooner than the bench's."""
    return TimingSettings(file=SIMULATED_FOLDER / "simulated-room-timing.json")


def as_measured(site: Site) -> Site:
    """Let the simulated room go by the files that its tip, patient and delay are measured into."""
    measured = {
        "tip": simulated_tip(),
        "registration": simulated_registration(),
        "timing": simulated_room_timing(),
    }
    navigation = site.navigation and site.navigation.model_copy(update=measured)
    return site.model_copy(update={"navigation": navigation})


def lay_down() -> tuple[Path, ...]:
    """Lay down the tip and the delay that the simulated room begins with; name those that were measured since.

    The tip was measured by ``acquire tool --simulate``, and does not expire; the delay is what the simulated wires
    have: none, to 2 ms.

    Raises
    ------
    ServiceError
        Where they cannot be written.

    """
    measured = list[Path]()
    for path in (simulated_tip().file, simulated_room_timing().file):
        shipped = (Path(str(files("config"))) / "instruments" / path.name).read_bytes()
        try:
            if not path.exists():
                write_file(path, shipped)
            if path.read_bytes() != shipped:
                measured.append(path)
        except OSError as exc:
            raise ServiceError(
                f"{path}: the simulated room's calibrations cannot be kept: {exc.strerror}; start it in a folder "
                "that can be written"
            ) from exc
    return tuple(measured)
