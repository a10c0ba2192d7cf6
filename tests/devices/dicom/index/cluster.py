"""A PostgreSQL of the tests' own: a cluster in a folder of its own, on a socket in it, on no port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.conftest import SYSTEM_PATH

NOT_ROOT = "postgres"
"""PostgreSQL refuses to run as root; Debian's package makes this user."""

_numbers = count(1)


def _program(name: str) -> str:
    found = shutil.which(name, path=SYSTEM_PATH)
    assert found is not None
    return found


class Cluster:
    """A server that can be stopped and started again."""

    def __init__(self, folder: Path, user: str | None) -> None:
        self._folder = folder
        self._user = user
        self._run("initdb", "--auth=trust", "--no-sync", "--username=radionav", "--encoding=UTF8")

    def start(self) -> None:
        """Start it, and wait until it accepts."""
        options = f"-c listen_addresses='' -c fsync=off -k {self._folder}"
        self._run("pg_ctl", "--wait", f"--log={self._folder / 'log'}", "-o", options, "start")

    def stop(self) -> None:
        """End it at once, as a power cut would."""
        self._run("pg_ctl", "--wait", "--mode=immediate", "stop")

    def new_database(self) -> str:
        """Make an empty database, and give its address."""
        name = f"index{next(_numbers)}"
        self._run("psql", f"--host={self._folder}", "-U", "radionav", "-c", f"create database {name}", "postgres")
        return f"postgresql://radionav@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - a peer
            [_program(program), *arguments],
            user=self._user,
            cwd=self._folder,
            env={"PGDATA": str(self._folder / "data"), "PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stderr!r}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Have one running, and gone afterwards."""
    user = NOT_ROOT if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="radionav-postgresql-"))  # a socket's path may have 107 bytes
    try:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        cluster = Cluster(folder, user)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)
