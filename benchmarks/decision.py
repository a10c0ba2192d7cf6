"""How soon a verdict, at the same errors: the sequential test beside the count of fixed time.

``python -m benchmarks.decision`` prints a JSON line for each pair of rates and errors. Both tests judge the same
simulated counts, a look every 0.1 s, with background alone and with the signal at its threshold rate; the exact
errors and mean times stand beside. ``time_ratio`` is mean sequential over fixed time with the signal,
``normal_bound`` what Wald's formula gives for it where counts are many and looks are continuous.
"""

import argparse
import json
from itertools import product
from math import log
from typing import Any

import numpy as np
from scipy.special import ndtri

from navigation.statistics.sequential import FixedTest, SequentialTest, fixed_test

LOOK_S = 0.1
"""Between two looks at the counts: a probe that delivers ten readings a second."""

RATES_CPS = ((5.0, 2.0), (5.0, 5.0), (20.0, 10.0), (50.0, 10.0), (100.0, 10.0))
"""Background, and signal above it."""

ERRORS = ((0.05, 0.05), (0.01, 0.05), (0.01, 0.01), (0.001, 0.001))
"""False alarms and misses that are asked for."""


def judged(
    test: SequentialTest, fixed: FixedTest, rate_cps: float, trials: int, rng: np.random.Generator
) -> dict[str, float]:
    """Let both tests judge the same counts: how often each says "signal", and the sequential one's mean time."""
    looks = int(np.ceil(max(test.longest_s, fixed.time_s) / LOOK_S - 1e-9))
    total = rng.poisson(rate_cps * LOOK_S, (trials, looks)).cumsum(axis=1)
    times_s = LOOK_S * np.arange(1, looks + 1)
    log_ratio = total * test.gain - test.signal_cps * times_s
    is_last = times_s >= test.longest_s - 1e-9
    is_over = (log_ratio >= test.upper) | (log_ratio <= test.lower) | is_last
    first = is_over.argmax(axis=1)
    says_signal = log_ratio[np.arange(trials), first] >= 0
    # the fixed time ends between two looks: the counts since the one before are thinned to it
    whole = int(fixed.time_s / LOOK_S)
    added = total[:, whole] - (total[:, whole - 1] if whole else 0)
    ended = (total[:, whole - 1] if whole else 0) + rng.binomial(added, fixed.time_s / LOOK_S - whole)
    return {
        "sequential": float(says_signal.mean()),
        "fixed": float((ended >= fixed.least_counts).mean()),
        "mean_time_s": float(times_s[first].mean()),
    }


def normal_bound(false_alarm: float, miss: float) -> float:
    """Mean sequential over fixed time with the signal, for many counts: Wald's ASN over the normal sample size."""
    gained = (1 - miss) * log((1 - miss) / false_alarm) + miss * log(miss / (1 - false_alarm))
    return float(2 * gained / (ndtri(1 - false_alarm) + ndtri(1 - miss)) ** 2)


def compared(
    background_cps: float, signal_cps: float, errors: tuple[float, float], trials: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the JSON line of one pair of rates and one pair of errors."""
    asked: dict[str, float] = {
        "background_cps": background_cps,
        "signal_cps": signal_cps,
        "false_alarm": errors[0],
        "miss": errors[1],
    }
    fixed, test = fixed_test(**asked), SequentialTest.planned(**asked)
    threshold_cps = background_cps + signal_cps
    exact = [test.characteristic(rate_cps, LOOK_S) for rate_cps in (background_cps, threshold_cps)]
    simulated = [judged(test, fixed, rate_cps, trials, rng) for rate_cps in (background_cps, threshold_cps)]
    return asked | {
        "fixed_time_s": round(fixed.time_s, 2),
        "mean_time_s": round(simulated[1]["mean_time_s"], 2),
        "mean_time_background_s": round(simulated[0]["mean_time_s"], 2),
        "time_ratio": round(simulated[1]["mean_time_s"] / fixed.time_s, 3),
        "time_ratio_background": round(simulated[0]["mean_time_s"] / fixed.time_s, 3),
        "normal_bound": round(normal_bound(*errors), 3),
        "exact_time_ratio": round(exact[1].mean_time_s / fixed.time_s, 3),
        "false_alarms": [simulated[0]["sequential"], simulated[0]["fixed"]],
        "misses": [round(1 - simulated[1]["sequential"], 5), round(1 - simulated[1]["fixed"], 5)],
        "exact_false_alarm": round(exact[0].signal_probability, 5),
        "exact_miss": round(1 - exact[1].signal_probability, 5),
        "cut_off": round(max(each.cut_off_probability for each in exact), 5),
    }


def main() -> None:
    """Print a line a pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20_000, help="simulated patients a line")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    for (background_cps, signal_cps), errors in product(RATES_CPS, ERRORS):
        print(json.dumps(compared(background_cps, signal_cps, errors, chosen.trials, rng)), flush=True)


if __name__ == "__main__":
    main()
