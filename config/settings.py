"""The site file's schema: what an engineer writes about one operating room."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from acquisition.calibrating.settings import CalibrationSettings
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.settings import MorningSettings, PointSource
from acquisition.studies.calibrations import SpectCalibration
from acquisition.tracking.settings import AccuracySettings, RegistrationSettings, TimingSettings, TipSettings
from config.nuclides import load_nuclides
from devices.dicom.settings import NodeSettings
from devices.igtl_settings import Settings as IgtlServerSettings
from devices.mqtt_broker import Settings as MqttSettings
from devices.probes.amptek import Settings as AmptekSettings
from devices.probes.gammascout import Settings as GammaScoutSettings
from devices.probes.gmc import Settings as GmcSettings
from devices.probes.lb134 import Settings as Lb134Settings
from devices.probes.ludlum375 import Settings as Ludlum375Settings
from devices.probes.mightyohm import Settings as MightyohmSettings
from devices.probes.opengamma import Settings as OpenGammaSettings
from devices.probes.radeye import Settings as RadEyeSettings
from devices.probes.radpro import Settings as RadProSettings
from devices.probes.sheet_dialogue import Settings as SheetSettings
from devices.trackers.ndi import Settings as NdiSettings
from devices.trackers.openigtlink import Settings as OpenIgtLinkSettings
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform

Row = tuple[float, float, float, float]
Rows = tuple[Row, Row, Row, Row]

DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Letters, digits, ``-`` and ``_``: a name is a level of an MQTT topic too."""

ProbeSettings = Annotated[
    AmptekSettings
    | GammaScoutSettings
    | GmcSettings
    | Lb134Settings
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

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _checked_matrix(rows: Rows) -> Rows:
    try:
        RigidTransform.from_matrix(rows, to=Frame.PATIENT, from_=Frame.REFERENCE)
    except NavigationError as exc:
        raise ValueError(str(exc).partition(": ")[2]) from exc
    return rows


Matrix = Annotated[Rows, AfterValidator(_checked_matrix)]
"""A rigid motion as four rows of a homogeneous matrix, mm."""

IDENTITY: Rows = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))


class Section(BaseModel):
    """A table of the site file: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DisplayTls(Section):
    """The certificate that the display's server shows."""

    certificate: Path = Field(description="Certificate and its chain, PEM.")
    key: Path = Field(description="Its private key, PEM.")


class AccessSettings(Section):
    """Who may look and who may act; without it whoever is at this machine may do both."""

    view_token: Path = Field(description="File with the token of displays, 32 characters or more, on one line.")
    people: Path = Field(description="File of the persons who may sign in: written by `radionav person`.")
    engineer_token: Path | None = Field(
        default=None, description="File with the token of programs that read the metrics. None: persons only."
    )


PedalAct = Literal[
    "sound", "hold", "peak", "background", "mark", "procedure", "next step", "excision", "out", "bed", "specimen",
    "undo", "live image", "window", "colours", "lock", "head", "feet", "distance",
]  # fmt: skip
"""What a key of a pedal can do on the page: the same as the key that docs/display.md names for it."""


class DisplaySettings(Section):
    """The server of the page and the feed."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; another than this machine's own wants tls, access and names.",
    )
    names: tuple[str, ...] = Field(
        default=LOOPBACK, min_length=1, description="Names that it answers for, as they stand in URLs."
    )
    tls: DisplayTls | None = Field(default=None, description="Speak HTTPS. None: HTTP, on this machine only.")
    access: AccessSettings | None = Field(default=None, description="Tokens and persons. None: nobody signs in.")
    language: Literal["en", "ru"] = Field(default="en", description="Of the page, until somebody chooses.")
    keys: dict[str, PedalAct] = Field(
        default={},
        description="What further keys do, as a pedal sends them: names of `KeyboardEvent.key` or `.code`.",
    )
    port: int = Field(default=8750, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    integration_s: float = Field(default=1.0, gt=0, le=5, description="Counting time of the rate shown.")
    stale_after_s: float = Field(
        default=0.5, gt=0, le=1, description="Silence after which the display stops looking live."
    )

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``."""
        tls, access = self.tls, self.access
        return self.model_copy(
            update={
                "tls": tls and DisplayTls(certificate=folder / tls.certificate, key=folder / tls.key),
                "access": access
                and AccessSettings(
                    view_token=folder / access.view_token,
                    people=folder / access.people,
                    engineer_token=access.engineer_token and folder / access.engineer_token,
                ),
            }
        )

    @model_validator(mode="after")
    def _stay_on_this_machine(self) -> Self:
        if self.host in LOOPBACK:
            return self
        missing = [name for name in ("tls", "access") if getattr(self, name) is None]
        if set(self.names) <= set(LOOPBACK):
            missing.append("names")
        if missing:
            raise ValueError(
                f"host {self.host!r} would open the feed to the network: it wants {', '.join(missing)} too; "
                "or keep 127.0.0.1 and show the page on this machine's own screens"
            )
        return self


class NavigationSettings(Section):
    """Which probe and tracker navigate, and what joins them to the patient."""

    probe: str = Field(description="Name of the probe in the surgeon's hand.")
    tracker: str = Field(description="Name of the tracker that sees it.")
    reference_tool: str | None = Field(
        default=None,
        description="The tracker's name for the tool fixed to the patient; none: the tracker stands still.",
    )
    tool_from_tip: Matrix = Field(
        default=IDENTITY, description="Where the probe's tip is in its tool, where acquire tool does not say."
    )
    tip: TipSettings | None = Field(
        default=None, description="Where the probe's tip is in its tool, measured by acquire tool."
    )
    patient_from_reference: Matrix | None = Field(
        default=None, description="Where the reference is in the study: from registration. None: not yet known."
    )
    registration: RegistrationSettings | None = Field(
        default=None, description="The same by acquire register, for the patient on the table."
    )
    timing: TimingSettings | None = Field(
        default=None, description="How late counts are behind poses, measured by acquire timing. None: not at all."
    )
    accuracy: AccuracySettings = Field(
        default=AccuracySettings(), description="What the error that is told at the tip rests on."
    )
    landmarks_mm: tuple[tuple[float, float, float], ...] | None = Field(
        default=None, description="Landmarks that it was registered by, in the study: tells its error at the tip."
    )
    fre_mm: float | None = Field(
        default=None, gt=0, description="RMS distance that the registration left at them; goes with landmarks_mm."
    )
    longest_gap_s: float = Field(
        default=0.1, gt=0, le=1, description="Poses further apart are not joined to a count between them."
    )

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``."""
        tip, registration, timing = self.tip, self.registration, self.timing
        update = {
            "tip": tip and tip.beside(folder),
            "registration": registration and registration.beside(folder),
            "timing": timing and timing.beside(folder),
        }
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if self.tip is not None and "tool_from_tip" in self.model_fields_set:
            raise ValueError("tip and tool_from_tip both say where the tip is: keep the one that was measured")
        if self.registration is not None and self.patient_from_reference is not None:
            raise ValueError("registration and patient_from_reference both register the patient: keep one")
        return self

    @model_validator(mode="after")
    def _knows_its_error_or_not(self) -> Self:
        if (self.landmarks_mm is None) != (self.fre_mm is None):
            raise ValueError("landmarks_mm and fre_mm go together: both tell the registration's error at the tip")
        if self.landmarks_mm is not None and self.fre_mm is not None:
            try:
                RegistrationError.of_residual(np.array(self.landmarks_mm), fre_mm=self.fre_mm)
            except NavigationError as exc:
                raise ValueError(str(exc)) from exc
        return self


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
