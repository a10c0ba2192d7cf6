"""Fixtures for every room: nothing left behind, real peers named when they are missing."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from multiprocessing import resource_tracker
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, settings

from tests.steady import SteadyLoop

PEERS = {
    "dcmtk": ("dcmsend", "dcmtk"),
    "mosquitto": ("mosquitto", "mosquitto"),
    "chromium": ("chromium", "chromium"),
    "openssl": ("openssl", "openssl"),
    "curl": ("curl", "curl"),
    "postgresql": ("initdb", "postgresql"),
    "socat": ("socat", "socat"),
}
"""For each peer: the program looked for, and the Debian package that holds it."""

SYSTEM_PATH = os.pathsep.join(
    (
        os.environ.get("PATH", ""),
        *("/usr/sbin", "/usr/local/sbin"),
        *map(str, Path("/usr/lib/postgresql").glob("*/bin")),  # Debian keeps several versions off the path
    )
)


def _missing(peer: str) -> str | None:
    program, package = PEERS[peer]
    if shutil.which(program, path=SYSTEM_PATH):
        return None
    return f"{program} is not installed: apt install {package}"


# how long an example takes is the host's affair, and no property of our code
settings.register_profile("seeking", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# the same examples in each run, so that it fails for what was changed; --hypothesis-profile=seeking draws new ones
settings.register_profile("any host", settings.get_profile("seeking"), derandomize=True)
settings.load_profile("any host")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on a loop that does not count what a busy host takes away, unless another compares its clock."""
    is_compared = _is_shown(item) or item.get_closest_marker("host_clock") is not None
    return {"host": asyncio.SelectorEventLoop} if is_compared else {"steady": SteadyLoop}


def _is_shown(item: pytest.Item) -> bool:
    return any("chromium" in marker.args for marker in item.iter_markers("peer"))


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Insist that tests state a behaviour; mark what a screen shows; skip what needs a missing program.

    What runs whole commands goes first: it takes longest, and two workers would wait for the third at the end.
    """
    silent = [item.nodeid for item in items if isinstance(item, pytest.Function) and not item.function.__doc__]
    if silent:
        raise pytest.UsageError(f"tests whose docstring states no behaviour: {', '.join(silent)}")
    items.sort(key=lambda item: "system" not in item.path.parts)
    for item in items:
        if _is_shown(item):
            item.add_marker("screen")
    if os.environ.get("REQUIRE_PEERS") == "1":
        return
    for item in items:
        for marker in item.iter_markers("peer"):
            for peer in marker.args:
                if sentence := _missing(peer):
                    item.add_marker(pytest.mark.skip(reason=sentence))


@pytest.fixture(autouse=True)
def _peers_required(request: pytest.FixtureRequest) -> None:
    for marker in request.node.iter_markers("peer"):
        for peer in marker.args:
            if sentence := _missing(peer):
                pytest.fail(f"REQUIRE_PEERS=1 and {sentence}")


def _open_descriptors() -> dict[str, str]:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return {}
    found = {}
    for entry in folder.iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:  # the descriptor of this very listing
            continue
        if target.startswith(("socket:", "pipe:", "/dev/pt", "/dev/tty")):
            found[entry.name] = target
    return found


@pytest.fixture(autouse=True, scope="session")
def _resource_tracker() -> None:
    # multiprocessing keeps one pipe to its tracker for the life of the process: there before the first test
    resource_tracker.ensure_running()


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    # a command run within a test logs to a standard error that is closed with the test
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(autouse=True)
async def _nothing_left_behind() -> AsyncIterator[None]:
    # inside the loop, so that the loop's own sockets are there before and after
    descriptors, tasks = _open_descriptors(), asyncio.all_tasks()
    yield
    running = [task.get_name() for task in asyncio.all_tasks() - tasks if task is not asyncio.current_task()]
    assert not running, f"the test left tasks running: {running}"
    until_s = monotonic() + 5.0
    while left := {number: target for number, target in _open_descriptors().items() if number not in descriptors}:
        if monotonic() > until_s:
            break
        await asyncio.sleep(0.02)  # a thread that opened a port for nobody any more is closing it
    assert not left, f"the test left descriptors open: {left}"


@pytest.fixture
def samples() -> Path:
    """Folder of sample recordings and DICOM objects; the test is skipped where there is none."""
    named = os.environ.get("RADIONAV_SAMPLES")
    if not named:
        pytest.skip("RADIONAV_SAMPLES names no folder with sample data")
    folder = Path(named).resolve()
    assert folder.is_dir(), f"RADIONAV_SAMPLES={named} is no folder"
    return folder
