"""What a process logs, and what it must not."""

import pytest
import structlog

from devices.stderr_log import log_to_stderr


def test_an_exception_is_logged_without_the_values_of_its_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """They may be a patient's name or a token; where it happened is told."""
    log_to_stderr()
    patient_name = "DOE^JANE"
    try:
        int(f"of {patient_name}"[:2])
    except ValueError:
        structlog.get_logger().exception("series not understood", series="1.2")
    told = capsys.readouterr()
    assert told.out == ""
    assert "series not understood" in told.err
    assert "series=1.2" in told.err
    assert "test_stderr_log.py" in told.err
    assert "ValueError" in told.err
    assert "JANE" not in told.err
