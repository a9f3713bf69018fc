"""What a service did not touch is sent again, what it may have touched is not: REFUSED_STREAM, GOAWAY, lost peers."""
import contextlib
import struct
import threading
import time

import grpc
import h2.connection
import h2.events
import pytest
from backends import Backend, client, order_v3, v3
from gateway import Gateway, instances
from http2_backend import Http2Backend
from processes import eventually
from raw import Raw

ORDER = v3.Order(id="1")
REFUSED, INTERNAL, CANCEL, CALM = 7, 2, 8, 11  # RFC 9113 section 7
LAST = 2**31 - 1


@pytest.fixture
def through(tmp_path):
    """through(backend...): a gateway before scripted instances."""
    with contextlib.ExitStack() as running:
        def run(*backends):
            listed = instances(*[("v3", backend.port) for backend in backends])
            return running.enter_context(Gateway(tmp_path, instances=listed))
        yield run


def code_of(call, *arguments, **more):
    """OK, or the code with which it failed."""
    try:
        call(*arguments, **more)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


def create(gateway):
    """A call that must not happen twice."""
    return code_of(client(gateway, "v3").Create, v3.CreateRequest(order=order_v3()), timeout=20)


def get(gateway):
    """A call that may."""
    return code_of(client(gateway, "v3").Get, v3.GetRequest(id="1"), timeout=20)


def first(failing):
    """A script: the first request fails so, each other is answered."""
    return lambda request: failing(request) if request.nth == 1 else request.answer(ORDER)


def goaway_below(request):
    request.connection.goaway(max(request.stream - 2, 0))
    request.connection.close()


def goaway_below_and_stay(request):
    request.connection.goaway(max(request.stream - 2, 0))


@pytest.mark.parametrize("failing", [lambda request: request.reset(REFUSED), goaway_below, goaway_below_and_stay],
                         ids=["REFUSED_STREAM", "GOAWAY-and-closed", "GOAWAY"])
def test_what_was_provably_not_processed_is_sent_again_whatever_the_method(through, failing):
    with Http2Backend(first(failing)) as backend:
        assert create(through(backend)) == "OK"
        assert [request.messages() for request in backend.requests][0] == backend.requests[1].messages()
        assert len(backend.requests) == 2


@pytest.mark.parametrize("failing", [
    lambda request: request.connection.close(),
    lambda request: request.reset(INTERNAL),
    lambda request: request.reset(CALM),
    lambda request: request.reset(CANCEL),
    lambda request: (request.connection.goaway(request.stream), request.connection.close()),
], ids=["closed", "INTERNAL_ERROR", "ENHANCE_YOUR_CALM", "CANCEL", "GOAWAY-that-includes-it"])
def test_what_may_have_been_processed_is_sent_again_only_where_the_method_may_be_repeated(through, failing):
    with Http2Backend(first(failing)) as backend:
        gateway = through(backend)
        assert create(gateway) == "UNAVAILABLE" and len(backend.requests) == 1
    with Http2Backend(first(failing)) as backend:
        gateway.write(instances=instances(("v3", backend.port)))
        gateway.reload()
        eventually(lambda: f":{backend.port}" in gateway.admin("/config").body.decode())
        assert get(gateway) == "OK" and len(backend.requests) == 2


def test_a_call_that_has_had_its_answers_head_is_not_sent_again(through):
    def broken(request):
        request.begin(ORDER)
        request.reset(REFUSED)
    with Http2Backend(broken) as backend:
        watching = client(through(backend), "v3").Watch(v3.WatchRequest(id="1"), timeout=20)
        assert next(watching) == ORDER
        with pytest.raises(grpc.RpcError) as caught:
            next(watching)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE and len(backend.requests) == 1


def test_a_stream_of_requests_that_is_refused_after_its_first_message_is_not_sent_again(through):
    def refuse_on_message(request):
        raise AssertionError("the client has not ended")
    seen = threading.Event()

    def on_head(request):
        request.reset(REFUSED)
        seen.set()

    def messages():
        yield v3.CreateRequest(order=order_v3())
        seen.wait(10)
        time.sleep(0.2)

    with Http2Backend(refuse_on_message, on_head) as backend:
        stub = client(through(backend), "v3")
        assert code_of(stub.Import, messages(), timeout=20) == "UNAVAILABLE"
        assert len(backend.requests) == 1


def test_half_a_message_that_came_before_a_refusal_is_sent_once(through):
    def refuse_first(request):
        if request.nth == 1:
            request.reset(REFUSED)

    def chunk(data):
        return b"%x\r\n%s\r\n" % (len(data), data)

    message = v3.CreateRequest(order=order_v3()).SerializeToString()
    framed = b"\0" + struct.pack(">I", len(message)) + message
    with Http2Backend(lambda request: request.answer(v3.ImportResponse()), refuse_first) as backend, \
            Raw(through(backend).port) as connection:
        connection.send(b"POST /shop.orders.v3.Orders/Import HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                        b"Content-Type: application/connect+proto\r\n\r\n" + chunk(framed[:7]))
        eventually(lambda: len(backend.requests) == 2)
        connection.send(chunk(framed[7:]) + chunk(b""))
        status, _, body, _ = connection.read_reply("POST")
        assert status == 200 and b"error" not in body, body
        assert backend.requests[1].messages() == [message]


def test_a_service_that_refuses_everything_is_not_asked_for_ever(through):
    with Http2Backend(lambda request: request.reset(REFUSED)) as backend:
        assert create(through(backend)) == "UNAVAILABLE"
        assert 2 <= len(backend.requests) <= 5


def test_the_only_instance_is_asked_once_more_when_it_says_that_it_is_unavailable(through):
    def unavailable(request):
        request.begin()
        request.end(14)
    with Http2Backend(unavailable) as backend:
        assert get(through(backend)) == "UNAVAILABLE" and len(backend.requests) == 2


def test_who_refuses_leaves_the_call_to_another_instance(through):
    with Http2Backend(lambda request: request.reset(REFUSED)) as full, \
            Http2Backend(lambda request: request.answer(ORDER)) as free:
        gateway = through(full, free)
        assert [create(gateway) for _ in range(10)] == ["OK"] * 10
        assert len(free.requests) == 10


def test_streams_under_way_go_on_after_a_goaway_and_new_calls_use_a_new_connection(through):
    watched = []

    def serve(request):
        if not request.path.endswith("Watch"):
            request.answer(ORDER)
            return
        watched.append(request)
        request.connection.goaway(LAST)  # the notice: streams may still come
        request.begin(ORDER)  # behind it, so that who has it has the notice

    with Http2Backend(serve) as backend:
        gateway = through(backend)
        watching = client(gateway, "v3").Watch(v3.WatchRequest(id="1"), timeout=30)
        assert next(watching) == ORDER
        request = watched[0]
        assert [create(gateway) for _ in range(5)] == ["OK"] * 5
        assert all(other.connection is not request.connection for other in backend.requests[1:])
        request.connection.goaway(request.stream)  # the real one
        assert [create(gateway) for _ in range(5)] == ["OK"] * 5
        request.say(v3.Order(id="2"))
        assert next(watching).id == "2"
        request.end()
        assert list(watching) == []
        eventually(lambda: request.connection.socket.fileno() == -1)  # left as soon as it was of no more use


def test_calls_beyond_what_the_service_allows_at_once_wait_and_are_answered(through):
    held = threading.Semaphore(0)

    def serve(request):
        threading.Thread(target=lambda: (held.acquire(timeout=20), request.answer(ORDER)), daemon=True).start()

    with Http2Backend(serve, streams=1) as backend:
        gateway = through(backend)
        stub = client(gateway, "v3")
        calls = [stub.Create.future(v3.CreateRequest(order=order_v3()), timeout=30) for _ in range(20)]
        eventually(lambda: backend.requests)
        for _ in calls:
            held.release()
        assert [call.result() for call in calls] == [ORDER] * 20
        assert len(backend.requests) == 20


# ---- The gateway's own ---------------------------------------------------------------------------

def test_a_gateway_that_goes_says_so_twice_and_finishes_what_was_sent_in_between(tmp_path):
    with Backend("v3") as backend, Gateway(tmp_path, instances=instances(("v3", backend.port))) as gateway:
        with Raw(gateway.port) as connection:
            http2 = h2.connection.H2Connection()
            http2.initiate_connection()
            connection.send(http2.data_to_send())
            head = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/v3/orders")]
            http2.send_headers(1, head + [("shop-delay", "1")], end_stream=True)
            connection.send(http2.data_to_send())
            eventually(lambda: backend.told("call", method="List"))
            gateway.process.child.terminate()
            goaways, statuses = listen(connection, http2, head)
        print(goaways, statuses)
        assert goaways[0] == LAST and goaways[-1] == 3 and statuses == {1: 200, 3: 200}


def listen(connection, http2, head):
    """Until the gateway closes: last ids of GOAWAYs, statuses by stream. After the first GOAWAY, but before
    the PING behind it is answered, it asks once more."""
    goaways, statuses, buffered = [], {}, b""
    while True:
        piece = connection.socket.recv(65536)
        if not piece:
            return goaways, statuses
        buffered += piece
        while len(buffered) >= 9 and len(buffered) >= 9 + int.from_bytes(buffered[:3], "big"):
            size = 9 + int.from_bytes(buffered[:3], "big")
            frame, buffered = buffered[:size], buffered[size:]
            if frame[3] == 7:  # GOAWAY, which h2 would take for the end
                goaways.append(int.from_bytes(frame[9:13], "big"))
                if len(goaways) == 1:
                    http2.send_headers(3, head, end_stream=True)
                continue
            for event in http2.receive_data(frame):
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = int(dict(event.headers)[b":status"])
        connection.send(http2.data_to_send())


def test_a_grpc_client_sees_no_error_when_one_of_two_gateways_goes(tmp_path):
    """Calls that must not be repeated, without a pause, while the gateway that serves them drains."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with Backend("v3") as backend, \
            Gateway(tmp_path / "new", instances=instances(("v3", backend.port))) as new, \
            Gateway(tmp_path / "old", instances=instances(("v3", backend.port))) as old:
        stub = client(new, "v3", address=f"ipv4:{old.address},{new.address}",  # the first that is there
                      options=[("grpc.default_authority", "shop")])
        results, enough = [], threading.Event()

        def ask():
            while not enough.is_set():
                results.append(code_of(stub.Create, v3.CreateRequest(order=order_v3()), timeout=20))

        askers = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            eventually(lambda: len(results) >= 50)
            old.stop()
            before = len(results)
            eventually(lambda: len(results) >= before + 100)
        finally:
            enough.set()
            for asker in askers:
                asker.join(30)
        assert set(results) == {"OK"}, {code: results.count(code) for code in results}
        eventually(lambda: len(backend.told("call", method="Create")) == len(results))  # its last lines may be on their way
