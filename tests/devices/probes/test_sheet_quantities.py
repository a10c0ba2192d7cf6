"""What a sheet's counting field may be: its keys, and how long the first reading takes."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from devices.errors import DeviceError
from devices.probes.sheet import Sheet
from devices.probes.sheet_dialogue import Settings, SheetDialogue

LINES = r"""
name = "Made up"
baud_rate = 9600

[framing]
kind = "line"

[fields]
pattern = '(?P<shown>\d+(?:\.\d+)?)'

[counting]
field = "shown"
"""


def a_sheet(**counting: Any) -> Sheet:
    """A sheet of lines with one number each."""
    return Sheet.model_validate(
        {
            "name": "Made up",
            "baud_rate": 9600,
            "framing": {"kind": "line"},
            "fields": {"pattern": r"(?P<shown>\d+(?:\.\d+)?)"},
            "counting": {"field": "shown", **counting},
        }
    )


def test_a_mean_over_its_own_period_gives_its_counts() -> None:
    """CPS of the last half second are twice the counts; what rounding leaves goes to the next."""
    sheet = a_sheet(quantity="mean", period_s=0.5, cps_per_unit=10.0)
    dialogue = SheetDialogue("gamma", sheet, port="/dev/null")
    dialogue.begin(0.0)
    for place, shown in enumerate((b"2", b"0.5", b"0.5", b"0")):
        dialogue.feed(shown + b"\r\n", 0.5 * place)
    readings = dialogue.take_readings()
    assert [reading.counts for reading in readings] == [10, 2, 3, 0]
    assert {(reading.real_time_s, reading.live_time_s, reading.time_constant_s) for reading in readings} == {
        (0.5, 0.5, 0.0)
    }
    assert [reading.taken_at_s for reading in readings] == [-0.5, 0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("counting", "key"),
    [
        ({"quantity": "counts", "cps_per_unit": 0.5}, "cps_per_unit is of mean and rate, and quantity is counts"),
        ({"quantity": "total", "greatest_cps": 9.0, "cps_per_unit": 0.5}, "cps_per_unit is of mean and rate"),
        ({"quantity": "mean", "time_constant_s": 2.0}, "time_constant_s is of rate, and quantity is mean"),
        ({"quantity": "mean", "mask": 255}, "mask is of counts and total"),
        ({"quantity": "counts", "wraps_at": 256}, "wraps_at is of total"),
        ({"quantity": "rate", "time_constant_s": 2.0, "greatest_cps": 9.0}, "greatest_cps is of total"),
    ],
)
def test_a_key_that_says_nothing_of_the_quantity_is_refused(counting: dict[str, object], key: str) -> None:
    """A factor that would be left out in silence makes a rate that is wrong and looks right."""
    with pytest.raises(ValidationError, match=key):
        a_sheet(period_s=0.5, **counting)


@pytest.mark.parametrize(
    ("counting", "first_after_s"),
    [
        ('quantity = "mean"\nperiod_s = 0.5', "0.5"),
        ('quantity = "total"\nperiod_s = 0.5\ngreatest_cps = 100.0', "1"),
        ('quantity = "rate"\nperiod_s = 0.5\ntime_constant_s = 2.0', "1.5"),
        ('quantity = "rate"\nperiod_s = 2.0\ntime_constant_s = 2.0', "4"),
        ('quantity = "rate"\nperiod_s = 0.1\ntime_constant_s = 2.0', "0.7"),
    ],
)
def test_silence_is_longer_than_the_first_reading_takes(tmp_path: Path, counting: str, first_after_s: str) -> None:
    """Else the link would be opened again and again before anything is told, and the baud rate be blamed."""
    path = tmp_path / "made-up.toml"
    path.write_text(LINES + counting)
    settings = Settings(driver="sheet", port="/dev/null", sheet=path, silence_s=float(first_after_s))
    with pytest.raises(DeviceError, match=rf"first reading after up to {first_after_s} s.*make silence_s longer"):
        settings.dialogue("gamma")
    settings.model_copy(update={"silence_s": float(first_after_s) + 0.1}).dialogue("gamma")
