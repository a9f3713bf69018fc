"""
Reads what the Collector's file exporter has written, OTLP as JSON, and checks that all signals of each gateway are there:
   collector.py FOLDER      with traces.json, metrics.json, logs.json
"""
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
TRACE = "0af7651916cd43dd8448eb211c80319c"
DURATION = "passerelle_call_duration_seconds"
NODES = [f"{place}-{histograms}" for place in ("collector", "url") for histograms in ("explicit", "exponential")]


def items(signal, resources, scopes, kind):
    """Of each node: {node: [item]}."""
    found = {node: [] for node in NODES}
    for line in (folder / f"{signal}.json").read_text().splitlines():
        for part in json.loads(line)[resources]:
            said = {pair["key"]: pair["value"].get("stringValue") for pair in part["resource"]["attributes"]}
            assert said["service.name"] == "passerelle" and said["service.version"], said
            for scope in part[scopes]:
                found[said["service.instance.id"]] += scope[kind]
    return found


def attribute(item, key):
    return next((pair["value"] for pair in item["attributes"] if pair["key"] == key), None)


spans = items("traces", "resourceSpans", "scopeSpans", "spans")
metrics = items("metrics", "resourceMetrics", "scopeMetrics", "metrics")
records = items("logs", "resourceLogs", "scopeLogs", "logRecords")
for node in NODES:
    server, attempt = sorted(spans[node], key=lambda span: span["kind"])
    assert (server["kind"], attempt["kind"]) == (2, 3) and attempt["parentSpanId"] == server["spanId"]
    assert attribute(server, "tenant") == {"stringValue": "acme"}

    names = {metric["name"] for metric in metrics[node]}
    assert {"passerelle_calls_total", "passerelle_build_info", "passerelle_service_duration_seconds", DURATION} <= names, names
    (calls,) = [metric["sum"] for metric in metrics[node] if metric["name"] == "passerelle_calls_total"][-1:]
    assert calls["isMonotonic"] and calls["aggregationTemporality"] == 2
    kind = "exponentialHistogram" if node.endswith("exponential") else "histogram"
    point = [metric[kind] for metric in metrics[node] if metric["name"] == DURATION][-1]["dataPoints"][-1]
    assert int(point["count"]) == 1
    (exemplar,) = point["exemplars"]
    assert (exemplar["traceId"], exemplar["spanId"]) == (TRACE, server["spanId"])

    (call,) = [record for record in records[node] if record["eventName"] == "passerelle.call"]
    assert (call["traceId"], call["spanId"], call["severityNumber"]) == (TRACE, server["spanId"], 9)
    assert any(record["eventName"] == "passerelle.stopped" for record in records[node])
    print(f"{node}: {len(spans[node])} spans, {len(names)} metrics, {len(records[node])} log records, one trace in all of them")
