"""Metrics as protobuf: the same as in the text, and durations as native histograms, which a real Prometheus reads."""
import importlib
import json
import math
import re
import subprocess
import sys

import pytest
from backends import v3
from monitored import Prometheus, generated
from processes import ROOT, eventually

ACCEPT = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
DURATION = "passerelle_call_duration_seconds"
CALLS = 50


@pytest.fixture(scope="module")
def message(tmp_path_factory):
    """The class of MetricFamily."""
    folder = tmp_path_factory.mktemp("metrics")
    subprocess.run(["protoc", f"-I{ROOT}/gateway/telemetry", f"--python_out={folder}", "metrics.proto"], check=True)
    sys.path.insert(0, str(folder))
    return importlib.import_module("metrics_pb2").MetricFamily


@pytest.fixture(scope="module")
def called(shop):
    stub = shop.client("v3")
    for _ in range(CALLS):
        stub.ListRecommendations(v3.ListRecommendationsRequest())
    return shop.gateway


def families(gateway, message):
    answer = gateway.http("GET", "/metrics", port=gateway.admin_port, headers={"Accept": ACCEPT})
    assert answer.headers["content-type"] == "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    found, at, text = {}, 0, answer.body
    while at < len(text):
        size = shift = 0
        while True:
            byte = text[at]
            size |= (byte & 0x7f) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        family = message.FromString(text[at:at + size])
        assert family.name not in found
        found[family.name] = family
        at += size
    return found


def native_buckets(histogram):
    """{upper bound: count}, as Prometheus reads them."""
    index, count, deltas, buckets = 0, 0, iter(histogram.positive_delta), {}
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            buckets[2.0 ** (index / 2 ** histogram.schema)] = count
            index += 1
    assert next(deltas, None) is None
    return buckets


def test_protobuf_has_what_the_text_has(called, message):
    text = called.admin("/metrics").body.decode()
    found = families(called, message)
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    with_samples = {name for name in types if re.search(rf"^{name}(_bucket|_sum|_count)?[{{ ]", text, re.M)}
    assert set(found) == with_samples
    names = {0: "counter", 1: "gauge", 2: "summary", 4: "histogram"}
    assert {name: names[family.type] for name, family in found.items()} == {name: types[name] for name in with_samples}
    calls = {tuple((pair.name, pair.value) for pair in one.label): one.counter.value for one in found["passerelle_calls_total"].metric}
    assert sum(calls.values()) == sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("passerelle_calls_total{"))
    for labels in calls:
        assert "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" in text


def test_each_call_is_in_both_histograms(called, message):
    """And each native bucket agrees with the classic ones."""
    histogram = families(called, message)[DURATION].metric[0].histogram
    buckets = native_buckets(histogram)
    assert histogram.sample_count == histogram.zero_count + sum(buckets.values()) >= CALLS
    assert histogram.schema == 3 and histogram.zero_threshold == 2.0 ** -20
    for classic in histogram.bucket:
        below = sum(n for bound, n in buckets.items() if bound <= classic.upper_bound)
        above = sum(n for bound, n in buckets.items() if bound / 2 ** (1 / 8) <= classic.upper_bound)
        assert below <= classic.cumulative_count <= above + histogram.zero_count
    assert histogram.sample_sum <= sum(bound * n for bound, n in buckets.items()) * 1.0001


def quantile_of_panel(panels):
    """What a dashboard asks of durations, over a time that a test has."""
    expression, = [target["expr"] for panel in panels if panel["title"] == "95th percentile of durations" for target in panel["targets"]]
    return expression.replace("$__rate_interval", "5s")


@pytest.fixture(scope="module")
def overview(called, tmp_path_factory):
    made = generated(called.file, tmp_path_factory.mktemp("made"))
    return json.loads(made["dashboards/passerelle-overview.json"])["panels"]


@pytest.mark.parametrize("native", [True, False])
def test_prometheus_reads_the_histograms_and_dashboards_show_them(shop, called, overview, tmp_path, native):
    (tmp_path / "none.yaml").write_text("groups: []\n")
    options = ["--enable-feature=native-histograms"] if native else []
    with Prometheus(tmp_path, tmp_path / "none.yaml", [called.admin_port], every="200ms", options=options) as prometheus:
        count = f"histogram_count({DURATION})" if native else f"{DURATION}_count"
        found = eventually(lambda: prometheus.query(count))
        assert float(found[0][1]) >= CALLS
        quantile = f"histogram_quantile(0.5, {DURATION})" if native else f"histogram_quantile(0.5, sum by (le) ({DURATION}_bucket))"
        middle = float(prometheus.query(quantile)[0][1])
        assert 0 < middle < 10 and not math.isnan(middle)
        assert [value for _, value in prometheus.query("up")] == ["1"]
        assert bool(prometheus.query(f"{DURATION}_bucket")) == (not native)  # as docs/monitoring.md says
        shop.client("v3").ListRecommendations(v3.ListRecommendationsRequest())

        def shown():
            told = prometheus.query(quantile_of_panel(overview))
            return told and 0 < float(told[0][1]) < 10
        assert eventually(shown)


def test_the_word_that_has_both_stored_is_known_from_the_version_on_that_the_page_names(tmp_path):
    known = tuple(map(int, re.search(r"version (\d+)\.(\d+)", subprocess.run(["promtool", "--version"], capture_output=True, text=True, check=True).stdout).groups())) >= (2, 45)
    (tmp_path / "prometheus.yaml").write_text("scrape_configs: [{job_name: passerelle, scrape_classic_histograms: true}]\n")
    done = subprocess.run(["promtool", "check", "config", "prometheus.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == known, done.stderr
    assert known or "scrape_classic_histograms not found" in done.stderr
    assert "From Prometheus 2.45 on `scrape_classic_histograms" in (ROOT / "docs/monitoring.md").read_text()
