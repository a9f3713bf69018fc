#!/bin/bash
# The real Collector of OpenTelemetry gets all three signals of a gateway, by gRPC and by HTTP, and writes them down.
#   collector.sh GATEWAY FOLDER DESCRIPTORS STUBS SHOP
# DESCRIPTORS is the shop's descriptor set, STUBS its Python modules, SHOP its sources. FOLDER keeps the Collector: collector/ is its
# source, as OpenTelemetry's builder makes it; the modules come from the Go module proxy.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
# shellcheck disable=SC2034
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2") descriptors=$(realpath "$3") stubs=$(realpath "$4") shop=$(realpath "$5")
. "$here/tools.sh"
need_go 1.26
go build -C "$here/collector" -o "$tools/otelcol" .

made=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$made"' EXIT
port=$(free_port) admin=$(free_port) orders=$(free_port) by_grpc=$(free_port) by_http=$(free_port)
cat > "$made/collector.yaml" << YAML
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:$by_grpc"}, http: {endpoint: "127.0.0.1:$by_http"}}}
exporters:
  file/traces: {path: $made/traces.json}
  file/metrics: {path: $made/metrics.json}
  file/logs: {path: $made/logs.json}
  debug: {verbosity: basic}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file/traces, debug]}
    metrics: {receivers: [otlp], exporters: [file/metrics, debug]}
    logs: {receivers: [otlp], exporters: [file/logs, debug]}
YAML
"$tools/otelcol" --config "file:$made/collector.yaml" > "$made/collector.log" 2>&1 &
collector=$!
(wait_for "$by_grpc" $collector && wait_for "$by_http" $collector) || { cat "$made/collector.log"; exit 1; }
SHOP_STUBS=$stubs /usr/bin/python3 "$shop/backend_v3.py" --listen "127.0.0.1:$orders" > "$made/shop.log" 2>&1 &
wait_for "$orders" $!

for place in "collector: 127.0.0.1:$by_grpc" "url: 'http://127.0.0.1:$by_http'"; do
    for histograms in explicit exponential; do
        name=${place%%:*}-$histograms
        cat > "$made/$name.yaml" << YAML
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: /dev/null
node: $name
baggage: {record: [tenant]}
tracing: {share: none, every: 20ms}
otlp: {$place, metrics: {every: 200ms, histograms: $histograms}, logs: {least: info, every: 20ms}}
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $descriptors}]
    instances: [127.0.0.1:$orders]
YAML
        start_gateway "$made/$name.yaml" "$admin"
        running=$!
        curl -s -o /dev/null -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' -H 'baggage: tenant=acme' \
            "http://127.0.0.1:$port/v3/orders/7"
        kill "$running"
        wait "$running"
    done
done
kill "$collector"
wait "$collector" || { cat "$made/collector.log"; exit 1; }
/usr/bin/python3 "$here/collector.py" "$made" || { cat "$made/collector.log"; exit 1; }
