"""Ask each device of a site file whether it can be reached."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from config.settings import Site
from devices.clock import monotonic
from devices.reaching import Reach, reach, reach_broker, reach_igtl, reach_index, reach_node, reach_peer


async def reach_all(site: Site) -> list[Reach]:
    """Ask all of them at once; each answers in one sentence what to do if it cannot be reached."""
    asked: list[Coroutine[Any, Any, Reach]] = []
    for name, device in (*site.probes.items(), *site.trackers.items()):
        asked.append(reach(name, device, clock=monotonic))
    if site.dicom is not None:
        asked.append(reach_node(site.dicom))
        if site.dicom.index is not None:
            asked.append(reach_index(site.dicom))
        asked.extend(reach_peer(peer, calling_ae=site.dicom.ae_title) for peer in site.dicom.peers)
    if site.mqtt is not None:
        asked.append(reach_broker(site.mqtt))
    if site.openigtlink is not None:
        asked.append(reach_igtl(site.openigtlink))
    return list(await asyncio.gather(*asked))
