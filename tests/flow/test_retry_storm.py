"""All instances of a service are down, and two hundred clients do not give up: how much more do the instances see?

It counts and measures no time. RETRY_STORM_SECONDS=10 is the long form; by default each way to be down lasts two seconds.
"""
import asyncio
import os
import threading

import h2.config
import h2.connection
import h2.events
import pytest
from backends import v3
from gateway import Gateway
from processes import eventually

CLIENTS = 200
SECONDS = float(os.environ.get("RETRY_STORM_SECONDS", "2"))
MOST = 1.2

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: /dev/null
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
routes: [{match: orders, timeout: 5s, attempts: 3, retry: {initial_backoff: 10ms, max_backoff: 20ms}}]
"""
WELL = v3.Order(id="1").SerializeToString()


class Instances:
    """HTTP/2 instances on a loop of their own, which are well or down in some way, and count what they see."""

    def __init__(self, n):
        self.n, self.n_seen, self.down, self.ports = n, 0, None, []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        for _ in range(self.n):
            server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.serve, "127.0.0.1", 0), self.loop).result()
            self.ports.append(server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def serve(self, reader, writer):
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        http2.initiate_connection()
        writer.write(http2.data_to_send())
        try:
            while data := await reader.read(65536):
                for event in http2.receive_data(data):
                    if isinstance(event, h2.events.StreamEnded):
                        self.n_seen += 1
                        if self.answer(http2, event.stream_id):
                            writer.write(http2.data_to_send())
                            writer.close()
                            return
                writer.write(http2.data_to_send())
        except (OSError, h2.exceptions.ProtocolError):
            pass
        writer.close()

    def answer(self, http2, stream):
        """Whether the connection is to be closed."""
        if self.down == "refuses":
            http2.reset_stream(stream, 7)
        elif self.down == "resets":
            http2.reset_stream(stream, 2)
        elif self.down == "closes":
            return True
        elif self.down == "unavailable":
            http2.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc"),
                                        ("grpc-status", "14")], end_stream=True)
        else:
            http2.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
            http2.send_data(stream, b"\0" + len(WELL).to_bytes(4, "big") + WELL)
            http2.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        return False


async def ask(port, until, counts):
    """One client: as soon as it has a response, it asks again. On a slow machine it takes longer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    while loop.time() < until or counts["calls"] < 5 * CLIENTS:
        writer.write(b"GET /v3/orders/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        counts["calls"] += 1
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(size)
        counts[head.split(b" ")[1].decode()] = counts.get(head.split(b" ")[1].decode(), 0) + 1
        await asyncio.sleep(0.02)
    writer.close()


def storm(port, seconds):
    """{"calls": n, status: n} of all clients."""
    counts = {"calls": 0}

    async def all_clients():
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(ask(port, until, counts) for _ in range(CLIENTS)))

    asyncio.run(all_clients())
    return counts


@pytest.mark.parametrize("down", ["unavailable", "resets", "refuses", "closes"])
def test_instances_that_are_down_see_little_more_than_the_calls_of_the_clients(tmp_path, down):
    with Instances(3) as instances:
        listed = "[" + ", ".join(f"'127.0.0.1:{port}'" for port in instances.ports) + "]"
        with Gateway(tmp_path, CONFIG, instances=listed) as gateway:
            assert storm(gateway.port, 1).get("200", 0) > CLIENTS
            instances.n_seen, instances.down = 0, down
            counts = storm(gateway.port, SECONDS)
            refused = gateway.metric("passerelle_retries_refused_total", service="orders", reason="budget")
            print(f"{down}: {counts}, {instances.n_seen} seen, {instances.n_seen / counts['calls']:.3f} of the calls; "
                  f"{refused:.0f} refused by the budget")
            assert counts.get("200", 0) == 0 and refused > 0
            assert instances.n_seen <= MOST * counts["calls"]
            instances.down = None  # and they come back
            eventually(lambda: gateway.http("GET", "/v3/orders/1").status == 200)


def test_the_same_clients_are_helped_while_one_of_three_instances_is_down(tmp_path):
    with Instances(2) as well, Instances(1) as bad:
        bad.down = "resets"
        listed = "[" + ", ".join(f"'127.0.0.1:{port}'" for port in well.ports + bad.ports) + "]"
        with Gateway(tmp_path, CONFIG, instances=listed) as gateway:
            counts = storm(gateway.port, SECONDS)
            print(f"{counts}, {well.n_seen} and {bad.n_seen} seen")
            failed = bad.n_seen / (well.n_seen + bad.n_seen)
            assert well.n_seen + bad.n_seen <= MOST * counts["calls"]
            assert counts.get("503", 0) < failed * counts["calls"]
