"""What comes by HTTP is stored as safely as what comes by C-STORE, and what is wrong is refused in words."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from devices.dicom.storage.part10 import FileMeta
from tests.devices.dicom.conftest import Console, Make, Thing
from tests.devices.dicom.trail import transfers
from tests.devices.dicom.web.conftest import BOUNDARY, KIND, TOKEN, Open, Site, in_parts, resident_mb

PIXELS = b"\xe0\x7f\x10\0OW\0\0" + (3_000_000).to_bytes(4, "little") + bytes(3_000_000)
"""More than is gathered before it goes to the disk."""

FAILED, REFERENCED, OTHERS = "00081198", "00081199", "0008119A"


def _file(thing: Thing) -> bytes:
    return thing.meta.to_bytes() + thing.data_set


async def _becomes(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - a folder of another process tells nobody
            await asyncio.sleep(0.01)


def _reasons(response: httpx2.Response, sequence: str) -> list[int]:
    return [item["00081197"]["Value"][0] for item in response.json()[sequence]["Value"]]


def _data_set(path: Path) -> bytes:
    return path.read_bytes()[FileMeta.read(path)[1] :]


async def _study(site: Site) -> tuple[str, int, str]:
    async with asyncio.timeout(10):
        async for study in site.node.studies():
            return study.calling_ae, len(study.objects), study.reason
    raise AssertionError("no study came")


async def test_stored_objects_are_a_study_of_the_node(open_site: Open, thing: Make) -> None:
    """What a script stores is on the disk when 200 comes, with its title, and is announced as a study."""
    async with open_site() as site:
        response = await site.store(_file(thing()))
        path = site.folder / "1.2.3" / "1.2.3.4.5.dcm"
        assert response.status_code == 200
        assert _data_set(path) == thing().data_set
        assert FileMeta.read(path)[0].calling_ae == "SCRIPT"
        assert await _study(site) == ("SCRIPT", 1, "association ended and nothing more came")
        assert site.left_incoming() == []


async def test_the_node_counts_what_came_either_way(open_site: Open, thing: Make, console: Console) -> None:
    """Objects by HTTP and by association, and what was refused, are in the figures that the service is told."""
    other = thing(object_uid="1.2.3.4.6")
    async with open_site() as site:
        await site.store(_file(thing()), b"not DICOM" * 40)
        async with console(site.node.port) as sender:
            await sender.associate()
            assert await sender.store(other) == 0
            await sender.release()
        await _becomes(lambda: site.node.figures is not None and site.node.figures.objects == {"new": 2})
        figures = site.node.figures
        assert figures is not None
        assert figures.refused == {"object": 1}
        assert figures.received_bytes == len(thing().data_set) + len(other.data_set)
        assert sum(figures.durable) == 2
        assert figures.durable_s > 0
        assert figures.free_bytes > 0


async def test_what_is_told_can_be_retrieved_at_once(open_site: Open, thing: Make) -> None:
    """The URL in the answer gives the object, and no other of its series, without waiting for the index."""
    other = thing(object_uid="1.2.3.4.6", note="other ")
    async with open_site() as site:
        told = (await site.store(_file(thing()), _file(other))).json()[REFERENCED]["Value"][0]
        fetched = await site.http.get(told["00081190"]["Value"][0])
        assert fetched.status_code == 200
        assert thing().data_set in fetched.content
        assert other.data_set not in fetched.content


@pytest.mark.parametrize("policy", ["keep first", "replace", "reject"])
async def test_other_bytes_under_a_uid_follow_the_rule(
    open_site: Open, web: dict[str, object], thing: Make, policy: str
) -> None:
    """The same object twice is kept once; other bytes under its UID are dealt with by the client's rule."""
    clients = web["clients"]
    assert isinstance(clients, list)
    clients[0]["on_conflict"] = policy
    async with open_site() as site:
        assert (await site.store(_file(thing()), _file(thing()))).status_code == 200
        assert len(list((site.folder / "1.2.3").iterdir())) == 1
        response = await site.store(_file(thing(note="other!")))
        plain = _data_set(site.folder / "1.2.3" / "1.2.3.4.5.dcm")
        files = len(list((site.folder / "1.2.3").iterdir()))
    if policy == "reject":
        assert (response.status_code, _reasons(response, FAILED), files) == (409, [0x0111], 1)
    else:
        assert (response.status_code, files) == (200, 2)
    assert plain == thing(note="other!" if policy == "replace" else "first ").data_set


async def test_a_full_disk_refuses_before_it_writes(open_site: Open, thing: Make) -> None:
    """Below the floor each object fails with A700 and the whole with 507."""
    async with open_site(free_floor_mb=1 << 40) as site:
        response = await site.store(_file(thing()))
        assert response.status_code == 507
        assert _reasons(response, FAILED) == [0xA700]
        assert not (site.folder / "1.2.3").exists()


async def test_some_stored_and_some_refused_is_202(open_site: Open, thing: Make) -> None:
    """One good object among bad ones is stored and named; each bad one has its reason."""
    good = _file(thing())
    cut = _file(thing(object_uid="1.2.3.4.6"))[:-3]
    lying = _file(thing(object_uid="1.2.3.4.7")).replace(b"LT\x06\0", b"LT\xf0\xff")
    mismatched = thing(object_uid="1.2.3.4.8").meta.to_bytes() + thing().data_set
    elsewhere = thing(object_uid="../../../etc").meta.to_bytes() + thing(object_uid="../../../etc").data_set
    climbing = _file(thing(object_uid="1.2.3.4.9", study_uid="../1.2"))
    async with open_site() as site:
        response = await site.store(good, cut, lying, mismatched, elsewhere, climbing, b"not DICOM" * 40, b"short")
        assert response.status_code == 202
        assert [one["00081155"]["Value"] for one in response.json()[REFERENCED]["Value"]] == [["1.2.3.4.5"]]
        assert _reasons(response, FAILED) == [0xC000, 0xC000, 0xA900, 0x0117, 0xC000]
        assert _reasons(response, OTHERS) == [0xC000, 0xC000]
        assert [path.name for path in site.folder.glob("*/*.dcm")] == ["1.2.3.4.5.dcm"]
        assert list(site.folder.parent.glob("**/etc*")) == []
        assert site.left_incoming() == []


async def test_a_study_in_the_path_is_held_to(open_site: Open, thing: Make) -> None:
    """An object of another study than the path names is refused with A900; a path that is no UID with 400."""
    async with open_site() as site:
        response = await site.store(_file(thing()), study="1.2.4")
        assert (response.status_code, _reasons(response, FAILED)) == (409, [0xA900])
        assert (await site.store(_file(thing()), study="1.2.3")).status_code == 200
        assert (await site.store(_file(thing()), study="..%2F1.2")).status_code in {400, 404, 405}


KINDS = (
    (415, "application/dicom"),
    (415, 'multipart/related; type="application/dicom+json"; boundary=a'),
    (415, 'multipart/form-data; type="application/dicom"; boundary=a'),
    (400, 'multipart/related; type="application/dicom"'),
    (400, f'multipart/related; type="application/dicom"; boundary={"b" * 71}'),
    (400, 'multipart/related; type="application/dicom"; boundary=another'),
)


async def test_a_content_type_that_is_wrong_stores_nothing(open_site: Open, thing: Make) -> None:
    """Another type is 415; no boundary, one that is too long, or one that the body does not have, is 400."""
    body = in_parts(_file(thing()))
    async with open_site() as site:
        for status, kind in KINDS:
            response = await site.http.post(f"{site.url}/studies", content=body, headers={"content-type": kind})
            assert response.status_code == status, kind
        assert list(site.folder.glob("*/*.dcm")) == []


async def test_a_part_of_another_type_is_refused(open_site: Open, thing: Make) -> None:
    """A part that does not say application/dicom is not stored, whatever is in it."""
    async with open_site() as site:
        response = await site.http.post(
            f"{site.url}/studies",
            content=in_parts(_file(thing()), kind="image/jpeg"),
            headers={"content-type": KIND},
        )
        assert (response.status_code, _reasons(response, OTHERS)) == (409, [0xC000])


async def test_a_body_cut_short_names_what_was_stored(open_site: Open, thing: Make) -> None:
    """A body without its closing boundary is 400; the object before the cut is stored and named, the rest gone.

    The study, and the audit trail, say that not all may have come.
    """
    body = in_parts(_file(thing()), _file(thing(object_uid="1.2.3.4.6")))
    async with open_site() as site:
        response = await site.http.post(
            f"{site.url}/studies", content=body[: -len(BOUNDARY) - 20], headers={"content-type": KIND}
        )
        assert response.status_code == 400
        assert [one["00081155"]["Value"] for one in response.json()[REFERENCED]["Value"]] == [["1.2.3.4.5"]]
        assert [path.name for path in site.folder.glob("*/*.dcm")] == ["1.2.3.4.5.dcm"]
        assert site.left_incoming() == []
        assert "objects may be missing" in (await _study(site))[2]
    assert transfers(site.folder) == [("SCRIPT", "127.0.0.1", "1.2.3", 1, 4)]


async def test_a_hundred_thousand_parts_are_given_up(open_site: Open) -> None:
    """More parts than are taken end the request with 413, and the node serves on."""
    async with open_site() as site:
        response = await site.store(*[b"x"] * 100_000)
        assert response.status_code == 413
        assert (await site.http.get(f"{site.url}/studies/1.2")).status_code == 404


async def test_an_object_above_the_limit_is_given_up(open_site: Open, thing: Make) -> None:
    """More than maximum_object_mb is 413, and nothing of it is left."""
    async with open_site(maximum_object_mb=1) as site:
        response = await site.store(_file(thing()) + bytes(2_000_000))
        assert response.status_code == 413
        assert site.left_incoming() == []


async def _send_raw(site: Site, body: bytes, *, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.node.web_port)
    writer.write(
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: {KIND}\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    writer.write(body)
    await writer.drain()
    return reader, writer


async def test_a_length_longer_than_the_body_times_out(open_site: Open, thing: Make) -> None:
    """A Content-Length that promises more than comes ends after the silence that is allowed, with nothing left."""
    body = in_parts(_file(thing()))[:-30]
    async with open_site(idle_time_s=0.3) as site:
        reader, writer = await _send_raw(site, body, length=len(body) + 1000)
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        assert site.left_incoming() == []
        assert list(site.folder.glob("*/*.dcm")) == []


async def test_a_body_that_trickles_is_given_up(open_site: Open, thing: Make) -> None:
    """A byte now and then is no silence, and too slow all the same: nothing is left, and why is said."""
    body = in_parts(_file(thing()) + bytes(3_000_000))
    async with open_site(idle_time_s=1) as site:
        reader, writer = await _send_raw(site, body[:50], length=len(body))

        async def trickle() -> None:
            with suppress(ConnectionError):
                for at in range(50, len(body)):
                    writer.write(body[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        async with asyncio.timeout(20):
            assert b" 408 " in await reader.readline()
            assert b"500 are the least (minimum_bytes_per_s)" in await reader.read()
        trickling.cancel()
        writer.close()
        assert site.left_incoming() == []


async def test_a_connection_lost_in_mid_object_leaves_nothing(open_site: Open, thing: Make) -> None:
    """What had come of an object when the connection ended is removed."""
    async with open_site() as site:
        body = in_parts(_file(thing()) + bytes(3_000_000))
        _, writer = await _send_raw(site, body[:2_500_000], length=len(body))
        await _becomes(lambda: bool(site.left_incoming()))
        writer.transport.abort()
        await _becomes(lambda: not site.left_incoming())
        assert list(site.folder.glob("*/*.dcm")) == []


async def test_who_does_not_come_to_the_point_is_dropped(open_site: Open) -> None:
    """A connection that says nothing, and one that says a byte at a time, end after request_time_s."""
    async with open_site(request_time_s=0.3) as site, asyncio.timeout(10):
        for said in (b"", b"GET /"):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.node.web_port)
            writer.write(said)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize("most", [1, 2])
async def test_one_connection_too_many_is_told_so(
    open_site: Open, web: dict[str, object], thing: Make, most: int
) -> None:
    """While as many as are allowed send, the next is answered 503, and what they send is stored."""
    body = in_parts(_file(thing()) + PIXELS)
    async with open_site(web=web | {"maximum_connections": most}) as site:
        sending = [await _send_raw(site, body[:2_500_000], length=len(body)) for _ in range(most)]
        await _becomes(lambda: len(site.left_incoming()) == most)
        assert (await site.http.get(f"{site.url}/studies/1.2.3")).status_code == 503
        for reader, writer in sending:
            writer.write(body[2_500_000:])
            async with asyncio.timeout(30):
                assert b" 200 " in await reader.readline()
            writer.transport.abort()


async def test_a_node_killed_in_mid_request_audits_what_had_come(open_site: Open, thing: Make) -> None:
    """SIGKILL of all after the first of two objects: the next start notes it, as an association's, as failed."""
    body = in_parts(_file(thing()), _file(thing(object_uid="1.2.3.4.6")) + bytes(3_000_000))
    async with open_site() as site:
        _, writer = await _send_raw(site, body[:2_500_000], length=len(body))
        await _becomes(lambda: bool(list(site.folder.glob(".audit/open/*"))))
        os.kill(site.node.process_id, signal.SIGKILL)
        writer.transport.abort()
    async with open_site() as site:
        pass
    assert transfers(site.folder) == [("SCRIPT", "127.0.0.1", "1.2.3", 1, 4)]


async def test_memory_is_flat_whatever_an_objects_size(open_site: Open, thing: Make) -> None:
    """An object of 500 MB costs the process that takes it less than 20 MB."""
    chunk, size_mb = os.urandom(1_000_000), 500
    head = _file(thing()) + b"\xe0\x7f\x10\0OW\0\0" + (size_mb * 1_000_000).to_bytes(4, "little")

    async with open_site() as site:
        process = site.web_process
        await site.store(_file(thing(object_uid="1.2.3.4.6")))
        before_mb, most_mb = resident_mb(process), 0.0

        async def body() -> AsyncIterator[bytes]:
            nonlocal most_mb
            yield in_parts(head)[: -len(BOUNDARY) - 8]
            for _ in range(size_mb):
                most_mb = max(most_mb, resident_mb(process))
                yield chunk
            yield f"\r\n--{BOUNDARY}--\r\n".encode()

        response = await site.http.post(f"{site.url}/studies", content=body(), headers={"content-type": KIND})
        assert response.status_code == 200, response.text
        assert (site.folder / "1.2.3" / "1.2.3.4.5.dcm").stat().st_size > size_mb * 1_000_000
    assert most_mb - before_mb < 20


async def test_a_killed_process_loses_nothing_and_leaves_nothing_half(
    open_site: Open, thing: Make, console: Console
) -> None:
    """SIGKILL in mid-object: what was named as stored is there, associations go on, HTTP is back, nothing half."""
    async with open_site() as site:
        assert (await site.store(_file(thing()))).status_code == 200
        body = in_parts(_file(thing(object_uid="1.2.3.4.6")) + bytes(3_000_000))
        _, writer = await _send_raw(site, body[:2_500_000], length=len(body))
        await _becomes(lambda: bool(site.left_incoming()))
        async with asyncio.timeout(30):
            os.kill(site.web_process, signal.SIGKILL)
            async with console(site.node.port) as other:
                assert await other.associate() == 2
                assert await other.store(thing(object_uid="1.2.3.4.7")) == 0
                await other.release()
            writer.transport.abort()
            while True:
                with suppress(httpx2.TransportError):
                    if (await site.store(_file(thing(object_uid="1.2.3.4.8")))).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        assert not any(path.name == "1.2.3.4.6.dcm" for path in site.folder.glob("*/*"))
    async with open_site() as site:
        assert site.left_incoming() == []
        assert {path.name for path in site.folder.glob("*/*.dcm")} == {
            f"1.2.3.4.{number}.dcm" for number in (5, 7, 8)
        }
