"""``radionav instrument try`` and a site file with a sheet, as whoever adds an instrument meets them."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import config
import service
from devices.clock import monotonic
from simulators.ports import open_tcp_port
from simulators.probes.mightyohm import SimulatedMightyOhm
from tests.system.running import PATIENCE_S, command

pytestmark = pytest.mark.timeout(180)

SHEETS = Path(config.__file__).parent / "instruments"


def counter() -> SimulatedMightyOhm:
    """Give a counter in a hurry."""
    rng = np.random.default_rng(1)
    return SimulatedMightyOhm(
        lambda start_s, end_s: int(rng.poisson(40 * (end_s - start_s))),
        powered_at_s=monotonic(),
        rng=rng,
        speed=50,
    )


async def radionav(*arguments: str) -> tuple[int, str, str]:
    """Run the command to its end; give exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        command("radionav"), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(2 * PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_sheet_is_tried_on_its_port() -> None:
    """A sheet that fits ends with 0 and shows lines beside counts."""
    sheet = str(SHEETS / "mightyohm.toml")
    async with open_tcp_port(counter()) as port:
        for seconds in ("3", "10", "30"):  # a machine that stands still for a while gets a longer look
            status, out, err = await radionav("instrument", "try", sheet, "--port", port.url, "--seconds", seconds)
            if status == 0:
                break
    assert status == 0, (out, err)
    assert "'CPS, " in out
    assert "it can go into the site file" in out


def test_what_cannot_be_tried_is_told_in_words(tmp_path: Path) -> None:
    """A sheet with a mistake, a port that is none and one where nobody listens: one sentence, exit status 2."""
    wrong = tmp_path / "console.toml"
    wrong.write_text('name = "Console"\nbaud_rate = 9600\nframing = {kind = "burst"}\n')
    for sheet, port, sentence in (
        (wrong, "/dev/ttyUSB0", "a burst needs its length"),
        (SHEETS / "mightyohm.toml", "COM1", "is no port"),
        (SHEETS / "mightyohm.toml", "socket://127.0.0.1:1", "nobody listens at socket://127.0.0.1:1"),
    ):
        told = CliRunner().invoke(service.radionav, ["instrument", "try", str(sheet), "--port", port])
        assert told.exit_code == 2
        assert sentence in told.stderr
        assert "Traceback" not in told.output


async def test_a_probe_by_sheet_is_reached_through_the_site_file(tmp_path: Path) -> None:
    """``radionav check`` opens it as any other; the sheet's path is relative to the site file."""
    (tmp_path / "console.toml").write_text((SHEETS / "mightyohm.toml").read_text())
    async with open_tcp_port(counter()) as port:
        (tmp_path / "site.toml").write_text(
            f"""
[site]
name = "General hospital"
room = "OR 3"
[probes.console]
driver = "sheet"
sheet = "console.toml"
port = "{port.url}"
silence_s = 1.8
"""
        )
        status, out, err = await radionav("check", "--config", str(tmp_path / "site.toml"))
    assert status == 0, (out, err)
    assert "console" in out + err
    assert "delivers readings" in out + err
