"""Large messages are converted on the work pool, while the loop serves everybody else."""
import concurrent.futures
import gzip
import json
import random
import signal
import subprocess
import threading
import time

import pytest
from backends import Backend
from gateway import SHOP_CONFIG, Gateway, instances

KIB, MIB = 1 << 10, 1 << 20
ONE_LOOP = SHOP_CONFIG.replace("timeout: 5s", "timeout: 60s") + "loops: 1\nwork_threads: 2\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Backend("v3") as backend, Gateway(tmp_path_factory.mktemp("large"), ONE_LOOP,
                                           instances=instances(("v3", backend.port))) as gateway:
        yield gateway


def order(size):
    """A v3 order of so many bytes of JSON, which are work: many small lines."""
    line = {"sku": "teapot", "quantity": 1}
    n = size // (len(json.dumps(line, separators=(",", ":"))) + 1)
    return {"buyer": {"id": "ada"}, "currency": "EUR", "total": {"units": "19"}, "lines": [line] * n,
            "delivery": {"address": {"street": "1 Kirkgate", "city": "Leeds", "postalCode": "LS1"}}}


def body_of(size):
    return json.dumps(order(size), separators=(",", ":")).encode()


def post(gateway, body, **fields):
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in fields.items()}}
    return gateway.http("POST", "/v3/orders", body, headers, timeout=60)


def jobs(gateway):
    return gateway.metric("passerelle_work_jobs_total")


def test_small_calls_on_the_loop_go_on_beside_large_ones(gateway):
    body, done = body_of(4 * MIB), threading.Event()
    lags, before = [], jobs(gateway)

    def ask_for_little():
        while not done.is_set():
            began = time.monotonic()
            assert gateway.http("GET", "/v3/orders?pageSize=1").status in (200, 400)
            lags.append(time.monotonic() - began)
            time.sleep(0.01)

    with concurrent.futures.ThreadPoolExecutor(5) as threads:
        little = threads.submit(ask_for_little)
        answers = [threads.submit(post, gateway, body) for _ in range(12)]
        for answer in answers:
            told = answer.result()
            assert told.status == 200 and len(told.json["lines"]) == len(order(4 * MIB)["lines"]), told.body[:300]
        done.set()
        little.result()
    lags.sort()
    print(f"\n{len(lags)} small calls beside 12 bodies of 4 MiB: median {lags[len(lags) // 2] * 1e3:.1f} ms, "
          f"worst {lags[-1] * 1e3:.1f} ms")
    assert len(lags) > 3
    assert jobs(gateway) - before == 24  # a request and its response each
    assert gateway.metric("passerelle_work_running") == gateway.metric("passerelle_work_waiting") == 0
    assert gateway.metric("passerelle_work_run_seconds_total") > 0


@pytest.mark.parametrize("size,n_jobs", [(40 * KIB, 0), (900 * KIB, 2)])
def test_by_its_size_a_message_is_for_the_pool(gateway, size, n_jobs):
    before = jobs(gateway)
    assert post(gateway, body_of(size)).status == 200
    assert jobs(gateway) - before == n_jobs


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_of_a_compressed_message_the_size_counts_that_it_becomes(gateway, coding):
    body = body_of(2 * MIB)
    small = gzip.compress(body) if coding == "gzip" else subprocess.run(
        ["brotli", "-q", "5", "-c"], input=body, stdout=subprocess.PIPE, check=True).stdout
    assert len(small) < 64 * KIB
    answer = post(gateway, small, Content_Encoding=coding)
    assert answer.status == 413 and b"times larger" in answer.body  # one byte in a hundred is the least
    noisy = json.dumps({**order(900 * KIB), "giftNote": "".join(random.Random(1).choices("abcdefgh", k=60 * KIB))}).encode()
    small = gzip.compress(noisy) if coding == "gzip" else subprocess.run(
        ["brotli", "-q", "1", "-c"], input=noisy, stdout=subprocess.PIPE, check=True).stdout
    assert len(small) < 250 * KIB
    before = jobs(gateway)
    assert post(gateway, small, Content_Encoding=coding).status == 200
    assert jobs(gateway) - before == 2


def test_a_gateway_that_goes_down_waits_for_what_is_on_the_pool(tmp_path):
    """Four calls have two jobs each: when seven are known, all four calls have been read."""
    config = ONE_LOOP + "drain: 60s\n"  # longer than the conversions take with a sanitizer
    with Backend("v3") as backend, Gateway(tmp_path, config, instances=instances(("v3", backend.port))) as gateway:
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            answers = [threads.submit(post, gateway, body_of(4 * MIB)) for _ in range(4)]
            while sum(gateway.metric(f"passerelle_work_{kind}") for kind in ("jobs_total", "running", "waiting")) < 7:
                time.sleep(0.005)
            gateway.process.child.send_signal(signal.SIGTERM)
            assert [answer.result().status for answer in answers] == [200] * 4
