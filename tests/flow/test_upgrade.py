"""Connections that become something else: WebSocket and its like, through routes without a schema."""
import asyncio
import contextlib
import socket
import subprocess
import threading

import h2.config
import h2.connection
import h2.events
import pytest
import websockets
from gateway import Gateway
from processes import eventually
from raw import Raw
from test_opaque import CONFIG, legacy  # noqa: F401  (a fixture)

SHORT = "limits: {head_time: 500ms, body_time: 500ms, idle_time: 1s, send_time: 2s, instance_idle_time: 1s}\n"


class WebSocketServer:
    """A server of the websockets library on a thread of its own; `serve` is a coroutine for each connection."""

    def __init__(self, serve, **options):
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.closes = []  # (code, reason) of each connection that has ended
        self.serve, self.options = serve, options
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(),), daemon=True)

    async def _handle(self, connection, path):
        try:
            await self.serve(connection)
        except websockets.ConnectionClosed:
            pass  # the behaviours need not say what the codes say
        finally:
            await connection.close()
            self.closes.append((connection.close_code, connection.close_reason))

    async def _run(self):
        self.done = asyncio.Event()
        async with websockets.serve(self._handle, "127.0.0.1", 0, max_size=None, **self.options) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.done.wait()

    def __enter__(self):
        self.thread.start()
        assert self.ready.wait(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.done.set)
        self.thread.join(10)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


@pytest.fixture
def through(tmp_path):
    """through(serve): a WebSocket server of that behaviour and the gateway before it."""
    with contextlib.ExitStack() as running:
        def run(serve, config=CONFIG, **options):
            server = running.enter_context(WebSocketServer(serve, **options))
            server.gateway = running.enter_context(Gateway(tmp_path, config=config, backend=server.port))
            server.url = f"ws://{server.gateway.address}/old/chat?room=1"
            return server
        yield run


def talk(url, story, **options):
    """Runs story(connection) as a client."""
    async def run():
        async with websockets.connect(url, max_size=None, **options) as connection:
            return await asyncio.wait_for(story(connection), 60)
    return asyncio.run(run())


def test_messages_go_both_ways(through):
    async def story(connection):
        for i in range(100):
            await connection.send(f"message {i}")
            assert await connection.recv() == f"message {i}"
        await connection.send(b"\0\xff")
        return await connection.recv()
    assert talk(through(echo).url, story) == b"\0\xff"


def test_the_service_may_speak_first(through):
    async def greet(connection):
        for i in range(10):
            await connection.send(f"{connection.path} {i}")

    async def story(connection):
        return [message async for message in connection]
    assert talk(through(greet).url, story) == [f"/old/chat?room=1 {i}" for i in range(10)]


@pytest.mark.parametrize("size", [125, 126, 65535, 65536, 8_000_000])
def test_frames_of_any_size(through, size):
    noise = bytes(i * 7 & 255 for i in range(251)) * (size // 251 + 1)

    async def story(connection):
        await connection.send(noise[:size])
        return await connection.recv()
    assert talk(through(echo).url, story) == noise[:size]


def test_a_message_in_fragments(through):
    async def story(connection):
        await connection.send(["a" * 10, "b" * 100_000, "c"])
        return await connection.recv()
    assert talk(through(echo).url, story) == "a" * 10 + "b" * 100_000 + "c"


def test_pings_are_answered_by_the_other_end(through):
    async def story(connection):
        await asyncio.wait_for(await connection.ping(b"are you there"), 10)
        return True
    assert talk(through(echo).url, story)


def test_a_client_closes_with_a_code(through):
    server = through(echo)

    async def story(connection):
        await connection.close(4001, "enough")
    talk(server.url, story)
    eventually(lambda: server.closes == [(4001, "enough")])


def test_a_service_closes_with_a_code(through):
    async def refuse(connection):
        await connection.close(1011, "broken")

    async def story(connection):
        await connection.wait_closed()
        return connection.close_code, connection.close_reason
    assert talk(through(refuse).url, story) == (1011, "broken")


def test_a_client_that_vanishes_is_noticed_by_the_service(through):
    server = through(echo)

    async def story(connection):
        await connection.send("x")
        await connection.recv()
        connection.transport.abort()
    talk(server.url, story)
    eventually(lambda: server.closes == [(1006, "")])


def test_subprotocols_and_compression_are_negotiated_end_to_end(through):
    server = through(echo, subprotocols=["chat.v2"])

    async def story(connection):
        await connection.send("a" * 10_000)
        assert await connection.recv() == "a" * 10_000
        return connection.subprotocol, [extension.name for extension in connection.extensions]
    assert talk(server.url, story, subprotocols=["chat.v1", "chat.v2"]) == ("chat.v2", ["permessage-deflate"])


def test_a_service_that_refuses_is_heard(through):
    server = through(echo, origins=["https://panel.example"])
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        talk(server.url, echo, origin="https://evil.example")
    assert caught.value.status_code == 403


def test_a_quiet_connection_is_kept(through):
    """Waiting is what it is for: no limit on time without bytes ends it."""
    server = through(echo, config=CONFIG + SHORT, ping_interval=None)

    async def story(connection):
        await connection.send("before")
        assert await connection.recv() == "before"
        await asyncio.sleep(3)
        await connection.send("after")
        return await connection.recv()
    assert talk(server.url, story, ping_interval=None) == "after"


def test_many_at_once(through):
    server = through(echo)

    async def one(i):
        async with websockets.connect(server.url) as connection:
            await connection.send(str(i))
            return await connection.recv()

    async def all_of_them():
        return await asyncio.gather(*[one(i) for i in range(100)])
    assert asyncio.run(all_of_them()) == [str(i) for i in range(100)]
    eventually(lambda: len(server.closes) == 100)


def test_a_gateway_that_goes_ends_them_in_time(tmp_path):
    with WebSocketServer(echo) as server, \
            Gateway(tmp_path, config=CONFIG + "drain: 1s\n", backend=server.port) as gateway:
        async def story(connection):
            await connection.send("x")
            await connection.recv()
            gateway.process.child.terminate()
            await connection.wait_closed()
        talk(f"ws://{gateway.address}/old/", story)


# ---- Tunnels of any protocol --------------------------------------------------------------------------

UPGRADE = "GET /old/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n"
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n"


def test_bytes_right_behind_the_heads_belong_to_the_tunnel(legacy):  # noqa: F811
    def script(peer):
        told = peer.head()
        assert (told.one("upgrade"), told.one("connection")) == ("bytes", "upgrade")
        peer.say(SWITCH + "hello")
        peer.say(peer.file.read(6))
    legacy.run(script, each=False)
    with legacy.raw() as connection:
        status, fields = connection.send(UPGRADE + "client").read_head()
        assert (status, fields["upgrade"], fields["connection"]) == (101, ["bytes"], ["upgrade"])
        assert connection.ahead + connection.read_all() == b"helloclient"


def test_a_client_that_has_said_all_still_hears(legacy):  # noqa: F811
    heard = []

    def script(peer):
        peer.head()
        peer.say(SWITCH)
        heard.append(peer.file.read())  # until the client's end
        peer.say(b"x" * 1_000_000)
    legacy.run(script, each=False)
    with legacy.raw() as connection:
        connection.send(UPGRADE).read_head()
        connection.send("all that I have to say")
        connection.socket.shutdown(socket.SHUT_WR)
        assert len(connection.ahead + connection.read_all()) == 1_000_000
    assert heard == [b"all that I have to say"]


def test_a_service_that_has_said_all_still_hears(legacy):  # noqa: F811
    heard = []

    def script(peer):
        peer.head()
        peer.say(SWITCH + "good bye")
        peer.socket.shutdown(socket.SHUT_WR)
        heard.append(peer.file.read())
    legacy.run(script, each=False)
    with legacy.raw() as connection:
        connection.send(UPGRADE).read_head()
        assert connection.ahead + connection.read_all() == b"good bye"
        connection.send("x" * 1_000_000)
        connection.socket.shutdown(socket.SHUT_WR)
        eventually(lambda: heard)
    assert len(heard[0]) == 1_000_000


def test_an_upgrade_that_the_service_ignores_is_an_ordinary_answer(legacy):  # noqa: F811
    legacy.run(lambda peer, told, body: peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with legacy.raw() as connection:
        for _ in range(3):
            assert connection.send(UPGRADE).read_reply()[::2] == (200, b"ok")


def test_no_upgrade_leads_past_the_gateway_in_http2(legacy):  # noqa: F811
    """h2c to the service would be a way around every route: it is not asked for (RFC 9113 section 3.1)."""
    backend = legacy.run(lambda peer, told, body: peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with legacy.raw() as connection:
        connection.send("GET /old/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                        "Upgrade: websocket, H2C\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
        assert connection.read_reply()[0] == 200
    told = backend.told[0]
    assert (told.all("upgrade"), told.all("connection"), told.all("http2-settings")) == ([], [], [])


# ---- Where there is nothing to become -----------------------------------------------------------------

def test_routes_with_a_schema_answer_an_upgrade_as_if_it_was_not_asked(shop):
    told = subprocess.run(["curl", "-sS", "-i", "--http1.1", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
                           "-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                           f"http://{shop.gateway.address}/v3/orders"], capture_output=True, text=True, timeout=20)
    assert told.stdout.startswith("HTTP/1.1 200 OK") and "upgrade" not in told.stdout.lower()


def test_a_websocket_client_hears_that_there_is_none(shop):
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        talk(f"ws://{shop.gateway.address}/v3/orders", echo)
    assert caught.value.status_code == 200
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        talk(f"ws://{shop.gateway.address}/nowhere", echo)
    assert caught.value.status_code == 404


def test_websockets_over_http2_are_not_promised_and_refused(legacy):  # noqa: F811
    """RFC 8441 needs SETTINGS_ENABLE_CONNECT_PROTOCOL; without it a client must not try, and who tries is told."""
    legacy.run(lambda peer, told, body: None)
    lax = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
    http2 = h2.connection.H2Connection(lax)
    http2.initiate_connection()
    http2.send_headers(1, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                           (":authority", "x"), (":path", "/old/")])
    with Raw(legacy.gateway.port) as connection:
        connection.send(http2.data_to_send())
        refused, settings = None, {}
        while refused is None:
            for event in http2.receive_data(connection.socket.recv(65536)):
                if isinstance(event, h2.events.RemoteSettingsChanged):
                    settings.update({int(code): change.new_value for code, change in event.changed_settings.items()})
                elif isinstance(event, h2.events.ResponseReceived):
                    refused = int(dict(event.headers)[":status"])
                elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    refused = event.error_code
    assert settings.get(8, 0) == 0 and (refused >= 400 or refused == 1)
