"""The site file: what is in it, and what is said when something is wrong with it."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from acquisition.calibration import load_calibration
from config.settings import Site
from config.site import SiteFileError, read_site
from service import radionav
from simulators.theatre import PATIENT_FROM_REFERENCE, PATIENT_TOOL, PROBE_TOOL, TOOL_FROM_TIP

CONFIG = Path(str(files("config")))
SHIPPED = (CONFIG / "site.toml").read_text()


def read(tmp_path: Path, text: str) -> Site:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return read_site(path)


def test_the_shipped_site_file_is_good(tmp_path: Path) -> None:
    """The example that people copy can be read as it stands, and paths are relative to it."""
    site = read(tmp_path, SHIPPED)
    assert site.probes["gamma"].tool == "Probe"
    assert site.dicom is not None
    assert site.dicom.folder == tmp_path / "studies"
    assert site.dicom.allowed_ae_titles == ("SPECTCT",)


def test_every_commented_key_of_the_shipped_file_exists(tmp_path: Path) -> None:
    """What the example shows in comments is accepted when it is taken out of them."""
    text = re.sub(
        r"^# (\[(?:mqtt|procedure|dicom\.web|\[spect\]|\[dicom\.(?:peers|web\.clients|retention)\])\]"
        r"|(?:host|site|room|patient_id|response|name|ae_title|port|roles|token_file|older_than_days|camera|collimator|nuclide"
        r"|windows_kev|cps_per_mbq) = )",
        r"\1",
        SHIPPED,
        flags=re.MULTILINE,
    )
    site = read(tmp_path, text)
    assert site.mqtt is not None
    assert site.dicom is not None
    assert [peer.name for peer in site.dicom.peers] == ["pacs"]
    assert site.dicom.web is not None
    assert [client.ae_title for client in site.dicom.web.clients] == ["EXPORT"]
    assert [rule.older_than_days for rule in site.dicom.retention] == [365]
    assert site.procedure.patient_id == "1234567"
    assert [one.camera for one in site.spect] == ["Discovery NM/CT 670"]
    assert site.spect[0].windows_kev == ((126.0, 154.0),)
    assert site.probes["gamma"].response == tmp_path / "gamma-tc99m.json"


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("silence_s = 0.8", "silense_s = 0.8", "unknown key 'probes.gamma.silense_s': did you mean 'silence_s'?"),
        ("[display]", "[dispaly]", "unknown key 'dispaly': did you mean 'display'?"),
        ("ae_title =", "aetitle =", "unknown key 'dicom.aetitle': did you mean 'ae_title'?"),
        (
            "reference_cps =",
            "reference_cpm =",
            "'acquire.check_source.reference_cpm': did you mean 'reference_cps'?",
        ),
        ("tools = [", "zzz = [", "unknown key 'trackers.camera.zzz': known here: "),
        ("tools = [", "tool = [", "key 'trackers.camera.tools' is missing"),
        ('probe = "gamma"', 'probe = "gama"', "navigation.probe 'gama' is none of gamma, monitor"),
        ('tool = "Probe"', 'tool = "Prob"', "trackers.camera.tools does not list 'Prob'"),
        ('nuclide = "Tc-99m"', 'nuclide = "Tc-99"', "nuclide 'Tc-99' is none of"),
        ('host = "127.0.0.1"\nport = 8750', 'host = "0.0.0.0"\nport = 8750', "would open the feed to the network"),
        (
            'driver = "mightyohm"',
            'driver = "mightyom"',
            "unknown driver 'mightyom' in 'probes.monitor.driver': did you mean 'mightyohm'?",
        ),
        (
            'driver = "mightyohm"',
            'driver = "zzz"',
            (
                "'probes.monitor.driver': known: amptek, gammascout, gmc, lb134, ludlum3030, ludlum375, "
                "mightyohm, opengamma, radeye, radpro, sheet"
            ),
        ),
        (
            'port = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_B7654321-if00-port0"',
            'port = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1234567-if00-port0"',
            "probes.gamma and probes.monitor both have the port",
        ),
        (
            'driver = "mightyohm"',
            'drvier = "mightyohm"',
            "key 'probes.monitor.driver' is missing; did you mean it by 'drvier'?",
        ),
        (
            'driver = "openigtlink"',
            'driver = "openigtlnk"',
            "unknown driver 'openigtlnk' in 'trackers.camera.driver': did you mean 'openigtlink'?",
        ),
        ("[1.0, 0.0, 0.0, 0.0],", "[-1.0, 0.0, 0.0, 0.0],", "navigation.tool_from_tip: the matrix mirrors"),
        ("[dicom]", '[navigation.tip]\nfile = "tip.json"\n[dicom]', "both say where the tip is"),
        ("window_kev = [126.0, 154.0]", "window_kev = [120.0, 154.0]", "a calibration holds for one window"),
        ('nuclide = "Tc-99m"', 'nuclide = "In-111"', "a calibration holds for one nuclide"),
        ("[probes.monitor]", '[probes."a+b"]', "'a+b' cannot name a device"),
        ("[probes.monitor]", "[probes.recorder]", "recorder names another device"),
        ('probe = "gamma"', 'probe = "monitor"', "probes.monitor.tool must name the tracked tool"),
        ("[site]", "[site", "is no TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    """A wrong key or value is named with its place, and an unknown key with the nearest known one."""
    assert right in SHIPPED
    with pytest.raises(SiteFileError) as refused:
        read(tmp_path, SHIPPED.replace(right, wrong, 1))
    assert sentence in str(refused.value)
    assert str(tmp_path / "site.toml") in str(refused.value)


NDI = """[trackers.camera]
driver = "ndi"
port = "socket://polaris.hospital.example:8765"
[trackers.camera.tools]
Probe = { rom = "probe.rom" }
Patient = { rom = "patient.rom", mobility = "static" }

[navigation]"""


def with_ndi(text: str) -> str:
    """The shipped site file with an NDI tracker in place of the one over OpenIGTLink."""
    start, end = text.index("[trackers.camera]"), text.index("[navigation]")
    return text[:start] + NDI + text[end + len("[navigation]") :]


def test_an_ndi_tracker_can_navigate(tmp_path: Path) -> None:
    """Its tools are tables that name files beside the site file; mistakes in them are named by their place."""
    site = read(tmp_path, with_ndi(SHIPPED))
    tools = site.trackers["camera"].tools
    assert isinstance(tools, dict)
    assert {name: tool.rom for name, tool in tools.items()} == {
        "Probe": tmp_path / "probe.rom",
        "Patient": tmp_path / "patient.rom",
    }
    for right, wrong, sentence in (
        (
            '"patient.rom",',
            '"patient.rom", mobilty = "static",',
            "'trackers.camera.tools.Patient.mobilty': did you",
        ),
        ("Patient = {", "Pateint = {", "trackers.camera.tools does not list 'Patient'"),
        ("socket://", "tcp://", "trackers.camera.port: 'tcp://polaris.hospital.example:8765' is no port"),
    ):
        with pytest.raises(SiteFileError) as refused:
            read(tmp_path, with_ndi(SHIPPED).replace(right, wrong, 1))
        assert sentence in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path is in the sentence."""
    with pytest.raises(SiteFileError, match=r"nowhere\.toml: cannot be read"):
        read_site(tmp_path / "nowhere.toml")


def test_the_simulated_site_says_what_the_simulators_do() -> None:
    """Tool names, tip and registration of simulated.toml are those of the simulated theatre."""
    site = read_site(CONFIG / "simulated.toml")
    assert site.navigation is not None
    assert site.navigation.reference_tool == PATIENT_TOOL
    assert site.probes["gamma"].tool == PROBE_TOOL
    assert [list(row) for row in site.navigation.tool_from_tip] == TOOL_FROM_TIP.matrix.tolist()
    rows = site.navigation.patient_from_reference
    assert rows is not None
    assert [list(row) for row in rows] == PATIENT_FROM_REFERENCE.matrix.tolist()


def test_the_shipped_calibration_is_for_the_simulated_probe_only() -> None:
    """It loads for the simulated room, under the name that the site file gives the probe."""
    site = read_site(CONFIG / "simulated.toml")
    path = site.probes["gamma"].response
    assert path is not None
    assert load_calibration(path, is_simulated=True).response.probe == "gamma"


def test_the_schema_is_printed() -> None:
    """`radionav schema` prints JSON that lists the drivers."""
    printed = CliRunner().invoke(radionav, ["schema"])
    assert printed.exit_code == 0
    mapping = json.loads(printed.stdout)["properties"]["probes"]["additionalProperties"]["discriminator"][
        "mapping"
    ]
    assert set(mapping) == {
        "amptek", "gammascout", "gmc", "lb134", "ludlum3030", "ludlum375", "mightyohm", "opengamma", "radeye",
        "radpro", "sheet",
    }  # fmt: skip
