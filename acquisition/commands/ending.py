"""What all commands share: the option that names the site file, one sentence at a failed end, and the log."""

import logging
import sys
from pathlib import Path
from typing import Annotated, NoReturn, TypeAlias

import structlog
import typer

SiteFile: TypeAlias = Annotated[Path | None, typer.Option("--config", help="The site file (TOML).")]


def fail(sentence: str) -> NoReturn:
    """End a command with exit status 2 and a sentence on standard error."""
    sys.stderr.write(f"{sentence}\n")
    raise typer.Exit(2)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write what is logged from a level on to standard error."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
