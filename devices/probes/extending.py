"""Extending dead time of an instrument that does not tell its live time: taken off that of its readings.

Everything behind a reading corrects for a non-extending dead time, ``dead_time_s``, or relies on ``live_time_s``.
An extending one is neither, so it is put into the live time here, once: the true rate n is the lower one of those
that are counted so (``navigation.statistics.dead_time``), and of the time in which the instrument could count a
share exp(-n tau_e) is left. What remains to be corrected is non-extending, as stated.
"""

from dataclasses import replace
from math import exp

from devices.readings import CountReading, CountStatus
from navigation.errors import NavigationError
from navigation.statistics.counting import gross_rate
from navigation.statistics.dead_time import DeadTimeModel


def take_off(reading: CountReading, extending_s: float) -> CountReading:
    """Give a reading whose live time is without an extending dead time of so many s per event.

    Near the turn, where a rate may as well be the far higher one that is counted alike, and beyond it, it is an
    overload: the live time there is the turn's at least.
    """
    model = DeadTimeModel(non_extending_s=reading.dead_time_s, extending_s=extending_s)
    try:
        found = model.true_rate(gross_rate(reading.counts, reading.live_time_s))
        true_cps, is_near_turn = found.rate.rate_cps, found.is_near_turn
    except NavigationError:  # more than can be counted, but for chance
        true_cps, is_near_turn = model.turn_cps, True
    return replace(
        reading,
        live_time_s=reading.live_time_s * exp(-true_cps * extending_s),
        status=CountStatus.OVERLOAD if is_near_turn else reading.status,
    )
