"""The log of a process, on its standard error: standard output is for what it was asked."""

import logging
import sys

import structlog


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write what is logged from a level on to standard error.

    Of an exception the traceback alone: the values of its variables, which structlog shows by default, are
    patients' names, voxels and tokens.
    """
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    processors = [*structlog.get_config()["processors"][:-1], renderer]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
