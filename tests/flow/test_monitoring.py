"""What `passerelle monitoring` writes: Prometheus accepts it, it tells what it must, and it asks for what gateways have."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from gateway import BINARY
from monitored import CONFIG, generated, monitored
from processes import ROOT, eventually

DOCS = (ROOT / "docs/monitoring.md").read_text()
PLAIN = """
listen: ['127.0.0.1:0']
services:
  - {name: orders, versions: [{name: v3, package: shop.orders.v3, schema: $orders}], instances: [{address: '127.0.0.1:1'}]}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with monitored(tmp_path_factory.mktemp("monitored")) as started:
        yield started


@pytest.fixture(scope="module")
def files(gateway, tmp_path_factory):
    return generated(gateway.file, tmp_path_factory.mktemp("files"))


def rules(text):
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def alerts(text):
    return {(rule["alert"], rule["labels"]["severity"]): rule for rule in rules(text) if "alert" in rule}


def promtool(*arguments, folder):
    """It waits for its disk after each sample: in memory it does not."""
    memory = {"TMPDIR": "/dev/shm"} if os.path.isdir("/dev/shm") else {}
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, **memory})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions(files):
    """Of all rules and dashboards."""
    for rule in rules(files["passerelle.rules.yaml"]):
        yield rule["expr"]
    for name, text in files.items():
        for panel in json.loads(text)["panels"] if name.endswith(".json") else []:
            for target in panel["targets"]:
                yield target["expr"]


TESTS = sorted((pathlib.Path(__file__).parent / "monitoring").glob("*_test.yaml"))


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.stem)
def test_prometheus_accepts_the_rules_and_they_tell_what_they_must(files, tmp_path, test):
    (tmp_path / "passerelle.rules.yaml").write_text(files["passerelle.rules.yaml"])
    shutil.copy(test, tmp_path)
    assert "rules found" in promtool("check", "rules", "--lint-fatal", "passerelle.rules.yaml", folder=tmp_path)
    promtool("test", "rules", test.name, folder=tmp_path)


def test_a_gateway_has_each_metric_that_is_asked_for(gateway, files):
    def families():
        return set(re.findall(r"^# TYPE (\w+)", gateway.admin("/metrics").body.decode(), re.M))
    asked = {name for expression in expressions(files) for name in re.findall(r"\b(?:passerelle|process)_\w+", expression)}
    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert len(asked) > 60
    eventually(lambda: "passerelle_rollout_state" in families())
    assert asked - families() == set()


def test_each_alert_has_its_words_and_is_described(files):
    for (name, severity), rule in alerts(files["passerelle.rules.yaml"]).items():
        short = name.removeprefix("Passerelle")
        assert severity in ("page", "ticket")
        assert rule["annotations"]["runbook_url"] == f"docs/monitoring.md#{short.lower()}"
        assert f"### {short}\n" in DOCS, short
        assert rule["annotations"]["summary"] and rule["annotations"]["description"].endswith((".", "names them."))
    told = {name.removeprefix("Passerelle") for name, _ in alerts(files["passerelle.rules.yaml"])}
    assert set(re.findall(r"^### (\w+)$", DOCS, re.M)) - told == {"SchemaStale"}  # its schemas are files


def test_nothing_asks_for_mistakes_of_clients(files):
    for rule in alerts(files["passerelle.rules.yaml"]).values():
        assert 'outcome="client"' not in rule["expr"] and 'side="client"' not in rule["expr"]
        assert "passerelle_errors_total" not in rule["expr"]  # without its side


def test_a_config_without_a_thing_has_no_alerts_of_it(tmp_path):
    plain = monitored(tmp_path, PLAIN)
    plain.write()
    made = generated(plain.file, tmp_path / "made")
    assert not [expression for expression in expressions(made)
                for word in ("_jobs", "_job_", "rollout", "store_up", "losses_total", "certificate", "discovery", "key_reads",
                             "webhook", "sandbox", "rate_limit_shared", "idempotency") if word in expression]
    assert {name for name in made if name.startswith("dashboards/")} == {
        f"dashboards/passerelle-{name}.json" for name in ("overview", "service", "healing")}
    assert {severity for _, severity in alerts(made["passerelle.rules.yaml"])} == {"ticket"}  # its impact is low
    assert yaml.safe_load(made["probes.yaml"])


def test_objectives_are_those_of_the_config(tmp_path):
    def budgets(*changes):
        config = PLAIN + "routes: [{match: orders, impact: high}]\n"
        for change in changes:
            config = config.replace(*change)
        plain = monitored(tmp_path, config)
        plain.write()
        made = generated(plain.file, tmp_path / "made")
        return {(rule["labels"]["service"], rule["labels"]["impact"]): rule["expr"]
                for rule in rules(made["passerelle.rules.yaml"]) if rule.get("record") == "passerelle:error_budget"}
    assert budgets() == {("orders", "high"): "vector(0.001)"}
    of_all = ("listen:", "objectives: {high: 99.95 %}\nlisten:")
    assert budgets(of_all) == {("orders", "high"): "vector(0.0005)"}
    assert budgets(of_all, ("{name: orders", "{objectives: {high: 90 %}, name: orders")) == {("orders", "high"): "vector(0.1)"}


def test_probes_reach_what_clients_reach(gateway, files):
    targets = {probe["targets"][0]: probe["labels"]["module"] for probe in yaml.safe_load(files["probes.yaml"])}
    assert targets == {f"http://127.0.0.1:{gateway.admin_port}/readyz": "passerelle_ready",
                       f"127.0.0.1:{gateway.port}": "passerelle_grpc", f"127.0.0.1:{gateway.words['tls']}": "passerelle_grpc_tls"}
    assert set(targets.values()) <= set(yaml.safe_load(files["blackbox.yaml"])["modules"])


def test_the_same_config_gives_the_same_bytes(gateway, files, tmp_path):
    assert generated(gateway.file, tmp_path / "again") == files


def test_times_are_shortened_for_tests_only(gateway, tmp_path):
    made = generated(gateway.file, tmp_path, "--time-scale", "60")
    burns = alerts(made["passerelle.rules.yaml"])["PasserelleBudgetBurnsFast", "page"]["expr"]
    assert 'outcome="failed"}[60s]' in burns
    text = made["passerelle.rules.yaml"]
    assert "record: passerelle:failed:ratio_rate5m" in text and "[5s]" in text and "for: 1s" in text
    assert "passerelle_jobs_oldest_seconds{state=~\"queued|running|undoing\"}) > 60\n" in text


def test_wrong_options_are_refused(gateway):
    for options in ["--time-scale", "0"], ["--time-scale", "86401"], ["--time-scale", "x"], ["--job", 'a"b']:
        done = subprocess.run([BINARY, "monitoring", gateway.file, *options], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (2, ""), options
        assert options[0] in done.stderr
    done = subprocess.run([BINARY, "monitoring", gateway.file, "--out", "/dev/null/x"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Not a directory" in done.stderr


def test_dashboards_have_what_grafana_needs(files):
    for name, text in files.items():
        if not name.endswith(".json"):
            continue
        made = json.loads(text)
        assert made["uid"] == pathlib.Path(name).stem and made["panels"]
        assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in made["panels"]}) == len(made["panels"])
        for panel in made["panels"]:
            assert panel["targets"] and all(target["expr"] for target in panel["targets"]), panel["title"]
    assert CONFIG  # each dashboard is made of it
    assert sum(name.endswith(".json") for name in files) == 6
