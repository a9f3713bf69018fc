"""What can be seen from outside: the access log, trace context, metrics, health."""
import re

import pytest
from backends import v1, v3
from processes import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"


def backend_heard(shop, answer):
    """Metadata with which the backend got the call that this answers."""
    request_id = answer.headers["X-Request-Id"]

    def find():
        return [line["metadata"] for line in shop.backend().told("call", method="List")
                if line["metadata"].get("x-request-id") == request_id]
    return eventually(find)[0]


def test_a_call_is_one_line_with_all_that_matters(shop):
    answer = shop.http("GET", "/v1/orders?customer=seen", headers={"API-Version": "v1"})
    assert answer.status == 200
    line = shop.gateway.logged(path="/v1/orders")
    assert re.fullmatch("[0-9a-f]{32}", line["request_id"])
    assert line["client_version"] == "v1" and line["served_version"] == "v3" and line["rule"] == "prefix"
    assert line["instance"] == shop.backend().address
    assert line["method"].endswith("Orders/List") and line["verb"] == "GET"
    assert line["dialect"] == "rest" and line["http_status"] == 200 and line["code"] == "OK"
    assert line["failure_mode"] == "loud" and "customer" not in str(line)
    assert line["total_ms"] >= line["upstream_head_ms"] >= line["to_upstream_ms"] >= 0


def test_the_request_id_is_told_to_the_client_and_the_backend(shop):
    answer = shop.http("GET", "/v1/orders")
    assert shop.gateway.logged(request_id=answer.headers["X-Request-Id"])
    assert backend_heard(shop, answer)


def test_trace_context_goes_on_with_a_new_parent(shop):
    answer = shop.http("GET", "/v1/orders", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
                                                     "tracestate": "vendor=1"})
    heard = backend_heard(shop, answer)
    version, trace, parent, flags = heard["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01") and parent != "b7ad6b7169203331"
    assert "vendor=1" in heard["tracestate"]
    assert shop.gateway.logged(trace_id=TRACE)


@pytest.mark.parametrize("bad", [
    f"00-{TRACE.upper()}-b7ad6b7169203331-01", "00-" + "0" * 32 + "-b7ad6b7169203331-01",
    f"00-{TRACE}-" + "0" * 16 + "-01", f"ff-{TRACE}-b7ad6b7169203331-01", "nonsense"])
def test_a_bad_traceparent_is_none(shop, bad):
    answer = shop.http("GET", "/v1/orders", headers={"traceparent": bad, "tracestate": "vendor=1"})
    heard = backend_heard(shop, answer)
    assert "traceparent" not in heard and "tracestate" not in heard


def test_without_a_trace_instances_are_sent_none(shop):
    """A parent that nobody has sampled would keep them from recording what they recorded before."""
    answer = shop.http("GET", "/v1/orders")
    heard = backend_heard(shop, answer)
    assert "traceparent" not in heard and "tracestate" not in heard
    assert "trace_id" not in shop.gateway.logged(request_id=answer.headers["X-Request-Id"])


def test_metrics_are_prometheus_text_and_count_calls(shop):
    before = shop.gateway.metric("passerelle_calls_total")
    for _ in range(5):
        shop.client("v1").List(v1.ListRequest())
    answer = shop.gateway.admin("/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain")
    sample = re.compile(r'[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [-+0-9.e]+(Inf|NaN)?')
    for line in answer.body.decode().splitlines():
        assert line.startswith("#") or sample.fullmatch(line), line
    assert shop.gateway.metric("passerelle_calls_total") == before + 5


def test_losses_are_counted_by_field(shop):
    def lost():
        return shop.gateway.metric("passerelle_losses_total", field="Order.comment")
    before = lost()
    shop.http("POST", "/v1/orders", {"customer": "ada", "comment": "gone"})
    assert lost() == before + 1


def test_health_and_readiness(shop):
    assert shop.gateway.admin("/healthz").status == 200
    assert shop.gateway.admin("/readyz").status == 200
    assert shop.gateway.admin("/nothing").status == 404


def test_failed_calls_are_counted_by_reason(shop):
    def refused():
        return shop.gateway.metric("passerelle_calls_total", fault="BAD_JSON")
    before = refused()
    shop.http("POST", "/v1/orders", "{", {"Content-Type": "application/json"})
    assert refused() == before + 1


def test_a_stream_is_logged_when_it_ends_with_its_messages(shop):
    stub = shop.client("v3")
    made = stub.Import(iter([])).ids
    assert list(made) == []
    assert list(stub.Lookup(iter([]))) == []
    line = shop.gateway.logged(method="shop.orders.v3.Orders/Lookup")
    assert line["messages_in"] == 0 and line["messages_out"] == 0 and line["client_version"] == "v3"
