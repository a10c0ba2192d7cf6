"""The tone and the status sounds, by what the page lets its audio context play, in real Chromium."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from playwright.async_api import Page, expect

from display.messages.feed import RateState
from tests.display.page.room import (
    Room,
    drawn,
    look,
    make_condition,
    make_device,
    make_rate,
    serve,
    state_of,
    wait_until_live,
)

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]


async def test_the_tone_follows_the_rate_and_the_mute_key(room: Room, page: Page) -> None:
    """It plays above its range's lower end, is quiet below, and M mutes it; the range is on the screen."""
    await state_of(page, "#tone", "playing")
    await expect(page.locator("#tone-range")).to_contain_text("36 \u2013 36\u2009000 /s")
    await page.keyboard.press("m")
    await state_of(page, "#tone", "muted")
    await page.keyboard.press("m")
    await state_of(page, "#tone", "playing")
    room.now["rate"] = make_rate(20.0)
    await state_of(page, "#tone", "quiet")


SOUNDED = """
window.__sounded = {};
const { setTargetAtTime } = AudioParam.prototype;
AudioParam.prototype.setTargetAtTime = function (value, ...rest) {
  window.__sounded[this.maxValue < 1e6 ? "pitch_hz" : "loudness"] = value;
  return setTargetAtTime.call(this, value, ...rest);
};
"""
"""Notes what the page lets sound: a pitch reaches half the sampling rate, a loudness anything."""


async def test_equal_ratios_of_rates_are_equal_intervals(room: Room) -> None:
    """Three and a half octaves over a thousand times the squelch, which is twice the background; silent below it.

    A rate beyond correction has the highest pitch, one that is not live none; while one is held the tone goes on.
    """

    async def pitch_hz(rate: RateState, state: str = "playing") -> float:
        room.now["rate"] = rate
        number = "> 48\u2009000" if rate.rate_cps is None else f"{rate.rate_cps:.0f}"
        await expect(page.locator("#rate-value")).to_have_text(number)
        await state_of(page, "#tone", state)
        is_heard = state == "playing"
        await page.wait_for_function("is => (window.__sounded.loudness > 0) === is", arg=is_heard)
        return float(await page.evaluate("window.__sounded.pitch_hz"))

    async with serve(room), look(room) as page:
        await page.add_init_script(SOUNDED)
        await page.reload()
        await state_of(page, "#tone", "playing")
        tenfold = [await pitch_hz(make_rate(rate_cps)) for rate_cps in (40.0, 400.0, 4000.0)]
        np.testing.assert_allclose(np.divide(tenfold[1:], tenfold[:-1]), 2 ** (3.5 / 3), rtol=1e-9)
        twice = msgspec.structs.replace(make_rate(80.0), background_cps=36.0)
        assert await pitch_hz(twice) == pytest.approx(tenfold[0])
        beyond = msgspec.structs.replace(make_rate(48000.0), rate_cps=None, high_cps=None, low_cps=48000.0)
        highest_hz = await pitch_hz(msgspec.structs.replace(beyond, status="overload"))
        assert highest_hz > await pitch_hz(make_rate(4000.0)) > await pitch_hz(make_rate(400.0))
        await pitch_hz(make_rate(20.0), "quiet")
        await pitch_hz(make_rate(40.0))
        await page.keyboard.press("h")  # what is held is looked at: the tone is of now
        await state_of(page, "#rate", "held")
        room.now["rate"] = make_rate(400.0)
        await page.wait_for_function("pitch => window.__sounded.pitch_hz === pitch", arg=tenfold[1])
        await state_of(page, "#rate", "held")
        await state_of(page, "#rate", "ok")
        await pitch_hz(make_rate(400.0))
        room.change_device("probe", state="lost")
        await state_of(page, "#tone", "stale")
        await page.wait_for_function("() => window.__sounded.loudness === 0")


async def test_sound_that_waits_for_a_touch_says_so(room: Room) -> None:
    """Where the browser lets no sound start by itself, SOUND OFF stands there until a touch starts it."""
    async with serve(room), look(room, is_kiosk=False) as page:
        await wait_until_live(page)
        await state_of(page, "#tone", "off")
        await expect(page.locator("#tone")).to_contain_text("SOUND OFF")
        await page.locator("#tone").click()
        await state_of(page, "#tone", "playing")


async def test_a_sound_card_that_stands_still_is_noticed(room: Room, page: Page) -> None:
    """An audio clock that no longer advances is a dead sound, whatever its state says; a touch starts another."""
    await state_of(page, "#tone", "playing")
    await page.evaluate("Object.defineProperty(BaseAudioContext.prototype, 'currentTime', { get: () => 7 })")
    await state_of(page, "#tone", "dead")
    await expect(page.locator("#tone")).to_contain_text("SOUND LOST")


KEEP_CONTEXT = """
const clock = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, "currentTime");
Object.defineProperty(BaseAudioContext.prototype, "currentTime", {
  get() {
    window.__context = this;
    return clock.get.call(this);
  },
});
"""


async def test_a_sound_that_was_taken_away_is_started_anew(room: Room, page: Page) -> None:
    """Suspended or closed from outside it says SOUND OFF; a touch starts it, another one where it must."""
    await page.evaluate(KEEP_CONTEXT)
    for taken in ("suspend", "close"):
        await state_of(page, "#tone", "playing")
        await page.wait_for_function("() => window.__context?.state === 'running'")
        await page.evaluate(f"window.__context.{taken}()")
        await state_of(page, "#tone", "off")
        await expect(page.locator("#tone")).to_contain_text("SOUND OFF")
        await page.locator("#tone").click()
    await state_of(page, "#tone", "playing")


SIGNALS = """
window.__notes = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at_s) {
  if (this.type === "square") window.__notes.push([at_s, this.frequency.value]);
  return start.call(this, at_s);
};
"""
"""Notes when each note of a signal begins, by the audio clock, and how high it is."""


async def notes(page: Page, count: int) -> list[float]:
    """Wait for so many notes of signals since the last that were asked for, and give how high they were, Hz."""
    await page.wait_for_function("count => window.__notes.length >= count", arg=count)
    sounded = await page.evaluate("window.__notes.splice(0)")
    assert len(sounded) == count
    assert all(later[0] > earlier[0] for earlier, later in pairwise(sounded)), "one note at a time"
    return [frequency_hz for _, frequency_hz in sounded]


async def test_a_lost_input_has_a_sound_of_its_own(room: Room) -> None:
    """Two notes when the rate is lost, two when it is back; none while muted."""
    async with serve(room), look(room) as page:
        await page.add_init_script(SIGNALS)
        await page.reload()
        await state_of(page, "#tone", "playing")
        room.change_device("probe", state="lost")
        await state_of(page, "#rate", "stale")
        falling = await notes(page, 2)
        room.change_device("probe", state="live")
        assert await notes(page, 2) == falling[::-1]
        await page.keyboard.press("m")
        await state_of(page, "#tone", "muted")
        room.change_device("probe", state="lost")
        await state_of(page, "#rate", "stale")
        assert await page.evaluate("window.__notes") == []


async def test_an_alarm_of_a_device_has_a_sound_of_its_own(room: Room) -> None:
    """Four notes to and fro as it begins, once for each device: neither those of a loss nor those of a return.

    It waits for a signal before; one that nobody knows to go on, or that begins while muted, has none.
    """
    monitor = make_device("monitor", kind="probe", label="Room monitor", primary=False)
    room.now["devices"] = (*room.now["devices"], monitor)
    on, off = make_condition(alarm=True), make_condition()
    async with serve(room), look(room) as page:
        await page.add_init_script(SIGNALS)
        await page.reload()
        await state_of(page, "#tone", "playing")
        room.change_device("monitor", condition=on)
        to_and_fro = await notes(page, 4)
        assert to_and_fro[0] != to_and_fro[1]
        assert to_and_fro[:2] == to_and_fro[2:]
        room.change_device("tracker", state="lost")
        falling = await notes(page, 2)
        room.change_device("tracker", state="live")
        await notes(page, 2)
        assert falling[0] > falling[1]
        assert to_and_fro[0] not in falling
        room.change_device("tracker", state="lost")
        room.change_device("probe", condition=on)
        assert sorted(await notes(page, 6)) == sorted([*falling, *to_and_fro])
        room.change_device("probe", condition=off)
        room.change_device("monitor", state="silent", condition=off)
        await state_of(page, "#trust [data-key='device monitor']", "silent")
        room.change_device("monitor", condition=on)
        await drawn(room, page)
        await page.keyboard.press("m")
        await state_of(page, "#tone", "muted")
        room.change_device("probe", condition=on)
        await state_of(page, "#trust [data-key='device probe']", "alarm")
        assert await page.evaluate("window.__notes") == []
