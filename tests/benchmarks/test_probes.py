"""The benchmark of the probes on a few messages: every driver is in it, and its figures are of readings."""

import json
from typing import Any

from benchmarks.probes import LIMIT, PAUSE_US, Latencies, benches, run
from tests.devices.probes.benches import driver_of, found_drivers


def test_every_driver_is_measured_beside_the_limit() -> None:
    """Each gives its readings after its bytes came; only a GMC's wait for the pause that ends a burst."""
    said: list[Any] = []
    run(3, 1, say=said.append)
    *lines, summary = said
    assert json.dumps(said)
    assert [line["driver"] for line in lines] == [LIMIT, *benches()]
    assert {driver_of(type(bench.settings)) for bench in benches().values()} == found_drivers()
    for line in lines:
        assert line["readings"] == 3
        assert line["median_us"] > 0
        assert line["readings_per_s"] > 0
        assert line["frame_bytes"] > 0
    by_name = {line["driver"]: line for line in lines}
    assert by_name["gmc-rfc1201"]["median_us"] > PAUSE_US
    assert by_name["mightyohm"]["frame_bytes"] == by_name["sheet of mightyohm"]["frame_bytes"]
    assert summary["limit_median_us"] == by_name[LIMIT]["median_us"]
    assert summary["slowest"] in by_name


def test_figures_are_medians_over_all_rounds() -> None:
    """Of 1 to 101 us the median is 51 and the 99th percentile 100; one each 5 ms is 200 a second."""
    us = [float(number) for number in range(1, 102)]
    measured = Latencies(driver="gamma", us=us, cycles_s=[0.004, 0.005, 9.0], frame_bytes=7)
    assert measured.line() == {
        "driver": "gamma",
        "frame_bytes": 7,
        "readings": 101,
        "median_us": 51.0,
        "p99_us": 100.0,
        "readings_per_s": 200.0,
    }


def test_chosen_drivers_alone() -> None:
    """Named drivers are measured, beside the limit, in as many rounds as were asked for."""
    said: list[Any] = []
    run(2, 2, chosen=("mightyohm",), say=said.append)
    assert [line.get("driver") for line in said] == [LIMIT, "mightyohm", None]
    assert said[1]["readings"] == 4
