"""What the display stands on is what the project says that it needs, and its page stands on nothing twice."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

import display

ROOM = Path(display.__file__).parent
PAGE = ROOM / "page" / "src"
MODULES = sorted(path for path in ROOM.rglob("*.py") if PAGE.parent not in path.parents)
OURS = frozenset({"acquisition", "devices", "display", "navigation"})


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOM).as_posix())
def test_every_import_is_declared(module: Path) -> None:
    """A package that comes only with another one may go with it: each that is imported stands in pyproject."""
    declared = {re.split(r"[^\w-]", wanted, maxsplit=1)[0] for wanted in requires("radionav") or ()}
    tree = ast.parse(module.read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.split(".")[0] for name in named} - OURS - sys.stdlib_module_names
    found = packages_distributions()
    given = {name: {each.replace("_", "-") for each in found[name]} for name in outside}  # as PEP 503 has them
    assert {name for name in outside if not declared & given[name]} == set()


def imported_by(path: Path) -> set[Path]:
    """Give the modules that one of the page imports, be it for a type alone."""
    named = re.findall(r'from "(\.[^"]+)"', path.read_text(encoding="utf-8"))
    return {(path.parent / f"{name}.ts").resolve() for name in named}


def test_no_module_of_the_page_stands_on_itself() -> None:
    """Not by way of others either; a circle is named."""
    imported = {path: imported_by(path) for path in map(Path.resolve, PAGE.rglob("*.ts"))}
    assert len(list(TopologicalSorter(imported).static_order())) == len(imported)


def test_no_room_of_the_page_stands_on_itself() -> None:
    """Its folders are rooms, with one way through them; a circle is named."""
    rooms: dict[Path, set[Path]] = {}
    for path in map(Path.resolve, PAGE.rglob("*/*.ts")):
        others = {other.parent for other in imported_by(path)} - {path.parent, PAGE.resolve()}
        rooms.setdefault(path.parent, set()).update(others)
    order = list(TopologicalSorter(rooms).static_order())
    assert order.index(PAGE / "kit") < order.index(PAGE / "feed") < order.index(PAGE / "slices")
