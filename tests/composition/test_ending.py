"""How the commands end."""

import subprocess
import sys

ENDED = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 100_000)); import service"


def test_a_command_ends_with_its_last_word() -> None:
    """At the end nothing is looked through for rubbish: the process that holds it is over."""
    done = subprocess.run(  # noqa: S603 - our own modules
        [sys.executable, "-c", ENDED], capture_output=True, text=True, check=True, timeout=170
    )
    assert done.stdout == "True\n"
