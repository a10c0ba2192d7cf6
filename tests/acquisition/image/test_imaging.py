"""The live image beside the service: made of every accepted count, in a process of its own that may end."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from acquisition.image.imaging import Field, Imager, LiveImage
from devices.clock import monotonic
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.observations import Observations
from tests.acquisition.children import children
from tests.navigation.bench import BACKGROUND_CPS, SKIN, calibrated, sweep

RESPONSE = replace(calibrated(np.random.default_rng(11))[0], background_cps=BACKGROUND_CPS)
NODE_MM = np.array([6.0, -4.0, -18.0])
SITE_MM = np.array([-20.0, 14.0, -12.0])
SEEN = sweep(np.array([NODE_MM]), np.array([1.0]), np.random.default_rng(1), seconds=60.0)
FIELD = Field(response=RESPONSE, tissue=SKIN, frame_of_reference_uid="1.2.3")


def believed(*targets: TargetEstimate, restarts: int = 0) -> Posterior:
    return Posterior(
        targets=targets,
        background_cps=BACKGROUND_CPS,
        readings=1,
        expected_rate_cps=None,
        is_consistent=True,
        misfit=0.0,
        recent_misfit=0.0,
        restarts=restarts,
        map_shift=None,
        is_within_calibration=True,
    )


def source(name: str, kind: str, centre_mm: np.ndarray, activity_mbq: float) -> TargetEstimate:
    return TargetEstimate(
        name=name,
        kind=kind,
        presence=1.0,
        centre_mm=centre_mm,
        covariance_mm2=np.eye(3),
        log_activity_mean=float(np.log(activity_mbq)),
        log_activity_sigma=0.05,
        is_localisable=True,
        reason="",
        region_semi_axes_mm=np.ones(3),
        region_axes=np.eye(3),
        mapped_mm=None,
    )


@asynccontextmanager
async def running(imager: Imager) -> AsyncIterator[None]:
    """Run it, and cancel it at the end."""
    task = asyncio.create_task(imager.run())
    try:
        yield
    finally:
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(outcome, asyncio.CancelledError)


async def image_of(imager: Imager, is_wanted: Callable[[LiveImage], object]) -> LiveImage:
    """Wait for an image of which something is so."""
    async with asyncio.timeout(60):
        while True:
            image = await imager.renewed()
            if image is not None and is_wanted(image):
                return image


def hottest_mm(image: LiveImage) -> np.ndarray:
    values = image.activity.values
    place = np.unravel_index(np.nanargmax(values), values.shape)
    return image.activity.geometry.positions_mm(np.array(place))


def imagers() -> list[int]:
    """Processes that make an image for this one."""
    return children("acquisition.image.imager")


async def test_every_accepted_count_is_in_the_image_and_the_node_where_it_is() -> None:
    """A minute in two parts: counts that come during an update are in the next, the hottest voxel at the node."""
    imager = Imager(clock=monotonic)
    imager.begin(FIELD)
    async with running(imager):
        imager.take(SEEN.take(np.arange(400)), believed())
        first = await image_of(imager, lambda _: True)
        for start in range(400, len(SEEN), 40):
            imager.take(SEEN.take(np.arange(start, min(start + 40, len(SEEN)))), believed())
        image = await image_of(imager, lambda image: image.readings == len(SEEN))
    assert first.readings == 400
    assert image.number > first.number
    assert np.linalg.norm(hottest_mm(image) - NODE_MM) < 8.0
    assert image.counted_until_s == SEEN.taken_at_s[-1]
    assert 0 < image.coverage <= 1
    assert np.isnan(image.activity.values).any(), "where it has not looked it knows nothing"
    assert not imagers()


async def test_an_injection_site_is_left_out_and_named() -> None:
    """Beside twenty times its activity the node is the hottest place, because the site's light is taken off."""
    site = source("injection site", "injection", SITE_MM, 20.0)
    seen = sweep(np.array([NODE_MM, SITE_MM]), np.array([1.0, 20.0]), np.random.default_rng(2), seconds=60.0)
    imager = Imager(clock=monotonic)
    imager.begin(FIELD)
    async with running(imager):
        imager.take(seen, believed(site))
        image = await image_of(imager, lambda _: True)
        imager.begin(FIELD)
        imager.take(seen, believed())
        whole = await image_of(imager, lambda image: not image.without)
    assert image.without == ("injection site",)
    assert np.linalg.norm(hottest_mm(image) - NODE_MM) < 12.0
    assert np.linalg.norm(hottest_mm(whole) - SITE_MM) < 16.0


async def test_another_field_starts_afresh() -> None:
    """A new map, or an estimate that began anew: no image, then one of what was counted since."""
    imager = Imager(clock=monotonic)
    imager.begin(FIELD)
    part = SEEN.take(np.arange(50))
    async with running(imager):
        imager.take(SEEN, believed())
        await image_of(imager, lambda _: True)
        imager.begin(FIELD)
        assert imager.newest is None
        imager.take(part, believed())
        await image_of(imager, lambda image: image.readings == len(part))
        imager.take(part, believed(restarts=1))
        assert imager.newest is None
        await image_of(imager, lambda image: image.readings == len(part))
        imager.begin(None)
        imager.take(part, believed())
        assert await imager.renewed() is None
    assert imager.newest is None


async def test_a_process_that_is_killed_costs_the_image_alone() -> None:
    """It goes at once, and another process makes the next of what is counted from then on."""
    imager = Imager(clock=monotonic)
    imager.begin(FIELD)
    async with running(imager):
        imager.take(SEEN, believed())
        await image_of(imager, lambda _: True)
        (process,) = imagers()
        os.kill(process, signal.SIGKILL)
        part = SEEN.take(np.arange(50))
        imager.take(part, believed())
        async with asyncio.timeout(30):
            while await imager.renewed() is not None:
                pass
        imager.take(part, believed())
        image = await image_of(imager, lambda _: True)
        assert imagers() != [process]
    assert image.readings <= 2 * len(part)


async def test_no_count_starts_no_update() -> None:
    """Before the first count, and with none accepted, there is no image."""
    imager = Imager(clock=monotonic)
    imager.take(SEEN, believed())
    imager.begin(FIELD)
    imager.take(Observations.empty(), believed())
    assert imager.newest is None
    assert not imager._waiting
