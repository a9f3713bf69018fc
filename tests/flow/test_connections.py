"""Ten thousand connections at once, on the default limits."""
import asyncio
import resource

import pytest
from backends import v3

MANY = 10_000
REQUEST = b"GET /v1/orders?limit=1 HTTP/1.1\r\nHost: shop\r\n\r\n"


@pytest.fixture(autouse=True)
def enough_files():
    """Each connection is a file here and one in the gateway, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MANY + 1000:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + 2000, MANY + 2000))
        except (ValueError, PermissionError):
            pytest.fail(f"this needs ulimit -n of {MANY + 1000}, and only {hard} are allowed")
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + 2000 if soft < MANY + 2000 else soft, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def open_all(port):
    gate = asyncio.Semaphore(200)

    async def open_one():
        async with gate:
            return await asyncio.open_connection("127.0.0.1", port)

    return await asyncio.gather(*[open_one() for _ in range(MANY)])


async def ask(reader, writer):
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                  if line.startswith(b"content-length"))
    await reader.readexactly(length)
    return int(head.split()[1])


async def all_at_once(port):
    pairs = await open_all(port)
    statuses = []
    for _ in range(2):
        gate = asyncio.Semaphore(500)

        async def ask_one(pair):
            async with gate:
                return await ask(*pair)

        statuses += await asyncio.gather(*[ask_one(pair) for pair in pairs])
    return pairs, statuses


def test_ten_thousand_connections_are_held_and_each_is_answered_twice(run_shop):
    shop = run_shop("v3")

    async def story():
        pairs, statuses = await asyncio.wait_for(all_at_once(shop.gateway.port), 100)
        open_now = shop.gateway.metric("passerelle_connections")
        for _, writer in pairs:
            writer.close()
        return statuses, open_now

    statuses, open_now = asyncio.run(story())
    assert statuses == [200] * (2 * MANY)
    assert open_now >= MANY
    assert shop.client("v3").List(v3.ListRequest()) == v3.ListResponse()
