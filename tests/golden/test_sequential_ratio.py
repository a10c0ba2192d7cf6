"""Wald's test over a background that was counted itself: against simulation, and against the known background."""

from math import exp

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, poisson

from navigation.errors import NavigationError
from navigation.statistics.sequential import Decision, SequentialTest, fixed_test
from navigation.statistics.sequential_ratio import AboveBackground

LOOK_S = 0.1
TRIALS = 20_000


def test_the_ratio_is_that_of_averaged_likelihoods() -> None:
    """Integrated over the Gamma density that 300 counts in 60 s leave of the background, number by number."""
    test = AboveBackground.planned(background_counts=300, background_s=60.0, factor=2.0)
    for counts, time_s in ((0, 1.0), (17, 2.0), (60, 6.0)):

        def likelihood(factor: float, counts: int = counts, time_s: float = time_s) -> float:
            def at(rate_cps: float) -> float:
                density: float = gamma.pdf(rate_cps, 300, scale=1 / 60)
                return density * float(poisson.pmf(counts, factor * rate_cps * time_s))

            return float(quad(at, 3.0, 7.0)[0])

        assert exp(test.log_ratio(counts, time_s)) == pytest.approx(likelihood(2.0) / likelihood(1.0), rel=1e-6)


def test_with_a_long_background_it_is_walds() -> None:
    """A background that was counted for a day is known: ratio and end are those of the test that takes it so."""
    test = AboveBackground.planned(background_counts=432_000, background_s=86_400.0, factor=2.0)
    wald = SequentialTest.planned(background_cps=5.0, signal_cps=5.0)
    assert test.log_ratio(20, 3.0) == pytest.approx(wald.log_ratio(20, 3.0), abs=1e-2)
    assert test.longest_s == pytest.approx(wald.longest_s, rel=0.03)


def verdicts(test: AboveBackground, rate_cps: float, times: int, rng: np.random.Generator) -> tuple[int, float]:
    """Count so many times, with a look every 0.1 s; give how often it says "signal", and the mean time in s."""
    looks = int(np.ceil(test.longest_s / LOOK_S))
    is_signal, is_background = np.zeros((2, looks), dtype=int)
    signal, background = 0, -1
    for look in range(looks):
        at_s = (look + 1) * LOOK_S
        while test.decide(background + 1, at_s) is Decision.BACKGROUND:
            background += 1
        signal = background + 1 if at_s >= test.longest_s else signal
        while test.decide(signal, at_s) is not Decision.SIGNAL:
            signal += 1
        is_signal[look], is_background[look] = signal, background
    total = rng.poisson(rate_cps * LOOK_S, (times, looks)).cumsum(axis=1)
    first = ((total >= is_signal) | (total <= is_background)).argmax(axis=1)
    says = total[np.arange(times), first] >= is_signal[first]
    return int(says.sum()), LOOK_S * float(first.mean() + 1)


def errors(background_cps: float, background_s: float, factor: float, error: float) -> tuple[float, float]:
    """Draw backgrounds and what is counted after each; give false alarms and misses."""
    rng = np.random.default_rng(3)
    wrong, judged = [0, 0], 0
    drawn = rng.poisson(background_cps * background_s, TRIALS)
    for counted, times in zip(*np.unique(drawn, return_counts=True), strict=True):
        try:
            test = AboveBackground.planned(
                background_counts=int(counted),
                background_s=background_s,
                factor=factor,
                false_alarm=error,
                miss=error,
            )
        except NavigationError:
            continue
        judged += int(times)
        wrong[0] += verdicts(test, background_cps, int(times), rng)[0]
        wrong[1] += int(times) - verdicts(test, factor * background_cps, int(times), rng)[0]
    assert judged > TRIALS / 3
    return wrong[0] / judged, wrong[1] / judged


@pytest.mark.parametrize(
    ("background_cps", "background_s", "factor", "error"),
    [(5.0, 60.0, 2.0, 0.01), (5.0, 60.0, 1.5, 0.01), (2.0, 60.0, 3.0, 0.01), (5.0, 40.0, 1.5, 0.05)],
)
def test_it_errs_no_more_than_was_asked_for(
    background_cps: float, background_s: float, factor: float, error: float
) -> None:
    """Backgrounds drawn anew each time, a look every 0.1 s: the sum of both errors is kept within a fifth."""
    false_alarm, miss = errors(background_cps, background_s, factor, error)
    chance = 3 * np.sqrt(2 * error / TRIALS)
    assert false_alarm + miss < 1.2 * 2 * error + chance
    assert max(false_alarm, miss) < 1.5 * error


def test_it_is_sooner_than_a_fixed_time() -> None:
    """Over 5 cps that were counted for a minute, twice that is told in less than half the fixed time of 6.3 s."""
    test = AboveBackground.planned(background_counts=300, background_s=60.0, factor=2.0)
    fixed = fixed_test(background_cps=5.0, signal_cps=5.0, false_alarm=0.01, miss=0.01)
    assert fixed.time_s == pytest.approx(6.3, abs=0.1)
    found, mean_s = verdicts(test, 10.0, 2000, np.random.default_rng(5))
    assert found > 1960
    assert mean_s < fixed.time_s / 2


def test_a_background_that_was_counted_too_briefly_is_refused() -> None:
    """It says for how long it must be counted, and that is enough."""
    with pytest.raises(
        NavigationError, match=r"150 counts of background are too few .*: count it for (\d+) s"
    ) as no:
        AboveBackground.planned(background_counts=150, background_s=30.0, factor=1.5)
    needed_s = int(str(no.value).rpartition(" for ")[2].split()[0])
    assert 40 < needed_s < 70
    AboveBackground.planned(background_counts=5 * needed_s, background_s=needed_s, factor=1.5)
    with pytest.raises(NavigationError, match="30 counts of background are too few"):
        AboveBackground.planned(background_counts=30, background_s=60.0, factor=3.0)
    with pytest.raises(NavigationError, match="no count of background"):
        AboveBackground.planned(background_counts=0, background_s=60.0, factor=3.0)


@pytest.mark.parametrize(
    "changed", [{"factor": 1.0}, {"factor": float("nan")}, {"background_s": 0.0}, {"miss": 0.5}]
)
def test_a_test_of_nothing_is_refused(changed: dict[str, float]) -> None:
    """Once the background, no time, errors that are none."""
    with pytest.raises(NavigationError, match="wants"):
        AboveBackground.planned(**({"background_counts": 300, "background_s": 60.0, "factor": 2.0} | changed))  # type: ignore[arg-type]


def test_it_decides_at_the_latest_at_its_end() -> None:
    """A rate between the two is decided by the likelier one, and one that is plain at once."""
    test = AboveBackground.planned(background_counts=300, background_s=60.0, factor=2.0)
    assert test.decide(30, 0.5) is Decision.SIGNAL
    assert test.decide(0, 1.5) is Decision.BACKGROUND
    between = round(7.2 * test.longest_s)
    assert test.decide(between, test.longest_s - 0.1) is Decision.OPEN
    assert test.decide(between + 5, test.longest_s) is Decision.SIGNAL
    assert test.decide(between - 5, test.longest_s) is Decision.BACKGROUND
