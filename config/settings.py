"""The site file's schema: what an engineer writes about one operating room."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from acquisition.calibrating.settings import CalibrationSettings
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.settings import MorningSettings, PointSource
from acquisition.studies.calibrations import SpectCalibration
from config.display import DisplaySettings
from config.navigation import NavigationSettings
from config.nuclides import load_nuclides
from config.section import Section
from devices.dicom.settings import NodeSettings
from devices.igtl_settings import Settings as IgtlServerSettings
from devices.mqtt_broker import Settings as MqttSettings
from devices.probes.amptek import Settings as AmptekSettings
from devices.probes.gammascout import Settings as GammaScoutSettings
from devices.probes.gmc import Settings as GmcSettings
from devices.probes.lb134 import Settings as Lb134Settings
from devices.probes.ludlum375 import Settings as Ludlum375Settings
from devices.probes.ludlum3030 import Settings as Ludlum3030Settings
from devices.probes.mightyohm import Settings as MightyohmSettings
from devices.probes.opengamma import Settings as OpenGammaSettings
from devices.probes.radeye import Settings as RadEyeSettings
from devices.probes.radpro import Settings as RadProSettings
from devices.probes.sheet_dialogue import Settings as SheetSettings
from devices.trackers.ndi import Settings as NdiSettings
from devices.trackers.openigtlink import Settings as OpenIgtLinkSettings

DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Letters, digits, ``-`` and ``_``: a name is a level of an MQTT topic too."""

ProbeSettings = Annotated[
    AmptekSettings
    | GammaScoutSettings
    | GmcSettings
    | Lb134Settings
    | Ludlum3030Settings
    | Ludlum375Settings
    | MightyohmSettings
    | OpenGammaSettings
    | RadEyeSettings
    | RadProSettings
    | SheetSettings,
    Field(discriminator="driver"),
]
TrackerSettings = Annotated[NdiSettings | OpenIgtLinkSettings, Field(discriminator="driver")]

LONGEST_SILENCE_S = 0.9
"""Silence of a device that navigation depends on is on the page within a second."""


class ProcedureSettings(Section):
    """Where procedures are recorded, and who is on the table, where that is known beforehand."""

    database: Path = Field(
        default=Path("var/procedures.sqlite"),
        description="The record of procedures: what was done, found and counted, and by whom.",
    )
    patient_id: str | None = Field(
        default=None,
        description="Patient ID (0010,0020): her study comes into use by itself. None: a person confirms.",
    )


def _placed(probe: ProbeSettings, folder: Path) -> dict[str, Path | None]:
    """Give the files that a probe names, taken as relative to ``folder``."""
    files: dict[str, Path | None] = {"response": probe.response and folder / probe.response}
    if isinstance(probe, SheetSettings):
        files["sheet"] = folder / probe.sheet
    return files


class SiteSettings(Section):
    """The room."""

    name: str = Field(min_length=1, description="The hospital, as shown on the display.")
    room: str = Field(min_length=1, description="The operating room.")


class Site(Section):
    """A whole site file."""

    site: SiteSettings
    nuclide: str = Field(default="Tc-99m", description="Radionuclide in use, as in nuclides.toml.")
    display: DisplaySettings = DisplaySettings()
    procedure: ProcedureSettings = ProcedureSettings()
    recordings: Path = Field(default=Path("var/recordings"), description="Folder of the black box.")
    probes: dict[str, ProbeSettings] = Field(min_length=1, description="Count-rate instruments by name.")
    trackers: dict[str, TrackerSettings] = Field(default={}, description="Position trackers by name.")
    navigation: NavigationSettings | None = Field(default=None, description="None: rates only, no position.")
    dicom: NodeSettings | None = Field(default=None, description="The storage node. None: no studies.")
    mqtt: MqttSettings | None = Field(default=None, description="A broker to publish to. None: off.")
    openigtlink: IgtlServerSettings | None = Field(
        default=None, description="3D Slicer and others follow the tip, the rate and the targets. None: off."
    )
    spect: tuple[SpectCalibration, ...] = Field(default=(), description="Calibrations of the SPECT cameras.")
    acquire: MorningSettings | None = Field(default=None, description="The morning check's sources and limits.")
    logbook: LogbookSettings = Field(
        default=LogbookSettings(), description="Where every check, calibration and timed count is kept, signed."
    )
    calibrate: CalibrationSettings = Field(
        default=CalibrationSettings(), description="Places and limits of the full calibration."
    )

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``, where the site file lies."""
        probes = {name: probe.model_copy(update=_placed(probe, folder)) for name, probe in self.probes.items()}
        dicom = self.dicom and self.dicom.beside(folder)
        mqtt = self.mqtt and self.mqtt.model_copy(
            update={
                "password_file": self.mqtt.password_file and folder / self.mqtt.password_file,
                "ca_file": self.mqtt.ca_file and folder / self.mqtt.ca_file,
            }
        )
        procedure = self.procedure.model_copy(update={"database": folder / self.procedure.database})
        update = {
            "probes": probes,
            "trackers": {name: tracker.beside(folder) for name, tracker in self.trackers.items()},
            "dicom": dicom,
            "display": self.display.beside(folder),
            "navigation": self.navigation and self.navigation.beside(folder),
            "mqtt": mqtt,
            "procedure": procedure,
            "recordings": folder / self.recordings,
            "logbook": self.logbook.beside(folder),
        }
        return self.model_copy(update=update)

    def on_ports(self, display: int | None, dicom: int | None) -> Self:
        """Listen on other ports than the file says, where they are given."""
        update: dict[str, object] = {}
        if display is not None:
            update["display"] = self.display.model_copy(update={"port": display})
        if dicom is not None and self.dicom is not None:
            update["dicom"] = self.dicom.model_copy(update={"port": dicom})
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _each_its_port(self) -> Self:
        taken: dict[str, str] = {}
        for name, probe in self.probes.items():
            if (other := taken.setdefault(probe.port, name)) != name:
                raise ValueError(
                    f"probes.{other} and probes.{name} both have the port {probe.port}: each instrument has its "
                    "own; two adapters that share a name under by-id differ under /dev/serial/by-path"
                )
        return self

    @model_validator(mode="after")
    def _names_meet(self) -> Self:
        known = load_nuclides()
        if self.nuclide not in known:
            raise ValueError(f"nuclide {self.nuclide!r} is none of {', '.join(known)}")
        if strange := {one.nuclide for one in self.spect} - set(known):
            raise ValueError(f"spect.nuclide {strange.pop()!r} is none of {', '.join(known)}")
        peers = [peer.name for peer in self.dicom.peers] if self.dicom else []
        names = [*self.probes, *self.trackers, *peers]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two devices are called {', '.join(sorted(twice))}: each needs a name of its own")
        if odd := [name for name in names if not DEVICE_NAME.fullmatch(name)]:
            raise ValueError(f"{odd[0]!r} cannot name a device: write letters, digits, - and _ only")
        if reserved := {"dicom", "mqtt", "recorder"} & set(names):
            raise ValueError(
                f"{', '.join(sorted(reserved))} names another device: call the probe, tracker or peer otherwise"
            )
        if self.navigation is not None:
            self._navigators_exist(self.navigation)
            if self.acquire is not None:
                self._acquires_what_it_uses(self.navigation.probe, self.acquire.point_source)
        return self

    def window_kev(self, probe: str) -> tuple[float, float] | None:
        """Energy window that a probe counts in; None for one that has no energies."""
        settings = self.probes[probe]
        return settings.window_kev if isinstance(settings, AmptekSettings) else None

    def _acquires_what_it_uses(self, probe: str, source: PointSource) -> None:
        if source.nuclide != self.nuclide:
            raise ValueError(
                f"acquire.point_source.nuclide is {source.nuclide}, but the room uses {self.nuclide}: "
                "a calibration holds for one nuclide"
            )
        window_kev = self.window_kev(probe)
        if window_kev is not None and window_kev != source.window_kev:
            raise ValueError(
                f"acquire.point_source.window_kev is {source.window_kev}, but probes.{probe}.window_kev "
                f"{window_kev}: a calibration holds for one window"
            )

    def _navigators_exist(self, navigation: NavigationSettings) -> None:
        if navigation.probe not in self.probes:
            raise ValueError(f"navigation.probe {navigation.probe!r} is none of {', '.join(self.probes)}")
        if navigation.tracker not in self.trackers:
            raise ValueError(
                f"navigation.tracker {navigation.tracker!r} is none of {', '.join(self.trackers) or 'no trackers'}"
            )
        tool = self.probes[navigation.probe].tool
        if tool is None:
            raise ValueError(f"probes.{navigation.probe}.tool must name the tracked tool on the probe")
        for name in (navigation.probe, navigation.tracker):
            device = self.probes.get(name) or self.trackers[name]
            if device.silence_s > LONGEST_SILENCE_S:
                raise ValueError(
                    f"{name}.silence_s is {device.silence_s:g} s, but the silence of one that navigates must show "
                    f"within a second: {LONGEST_SILENCE_S:g} at most; what sends once a second cannot navigate"
                )
        tools = self.trackers[navigation.tracker].tools
        for named in (tool, navigation.reference_tool):
            if named is not None and named not in tools:
                raise ValueError(f"trackers.{navigation.tracker}.tools does not list {named!r}")
