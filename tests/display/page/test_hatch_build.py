"""Building the page: once, from the lock file, with one plain sentence where it cannot be."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from display.page import hatch_build
from display.page.hatch_build import PAGE_FOLDER, PageNotBuilt, build_page

SOURCES = (".npmrc", "package.json", "package-lock.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page's sources without anything built or installed."""
    for name in SOURCES:
        shutil.copy(PAGE_FOLDER / name, tmp_path)
    return tmp_path


@pytest.fixture
def _registry_away(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{port}/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path_factory.mktemp("npm")))


@pytest.mark.usefixtures("_registry_away")
def test_an_unreachable_registry_is_one_plain_sentence(folder: Path) -> None:
    """It says what is needed, what did not answer and how to go on without; npm's own words stay in a file."""
    with pytest.raises(PageNotBuilt) as caught:
        build_page(folder)
    sentence = str(caught.value)
    assert "npm registry" in sentence
    assert "RADIONAV_SKIP_PAGE=1" in sentence
    assert "\n" not in sentence
    assert "ECONNREFUSED" in (folder / hatch_build.LOG_NAME).read_text(encoding="utf-8")


@pytest.mark.usefixtures("_registry_away")
def test_the_command_fails_without_a_traceback(folder: Path) -> None:
    """As ``make`` runs it: exit status 1 and one line."""
    shutil.copy(PAGE_FOLDER / "hatch_build.py", folder)
    ended = subprocess.run(  # noqa: S603 - this interpreter, our own file
        [sys.executable, folder / "hatch_build.py"],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("radionav: the page needs the npm registry once")
    assert len(ended.stderr.splitlines()) == 1


def test_a_fresh_page_is_not_built_again(folder: Path) -> None:
    """Newer than every source: nothing to do; older than one: to be built."""
    (folder / "dist").mkdir()
    built = folder / "dist" / "index.html"
    built.write_text("built", encoding="utf-8")
    assert build_page(folder) is False
    (folder / "src").mkdir()
    newer = folder / "src" / "main.ts"
    newer.write_text("changed", encoding="utf-8")
    os.utime(newer, (built.stat().st_mtime + 10,) * 2)
    assert hatch_build._is_fresh(folder) is False


def test_the_page_can_be_left_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RADIONAV_SKIP_PAGE=1 builds nothing and asks for nothing."""
    monkeypatch.setenv("RADIONAV_SKIP_PAGE", "1")
    assert build_page(folder) is False
    assert not (folder / "dist").exists()


def test_the_lock_file_names_no_registry() -> None:
    """It works with any mirror: checksums, but no addresses to download from."""
    lock = (PAGE_FOLDER / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity": "sha512-' in lock
    assert '"resolved"' not in lock
