#!/bin/bash
# One request through two services that OpenTelemetry's Python SDK instruments (PyPI), and twice through the gateway: one tree.
#   tracing.sh GATEWAY FOLDER DESCRIPTORS         FOLDER keeps the SDK
set -euo pipefail
# shellcheck disable=SC2034
gateway=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
if [ ! -e "$tools/.opentelemetry-$opentelemetry" ]; then
    /usr/bin/python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet "opentelemetry-sdk==$opentelemetry" "opentelemetry-exporter-otlp-proto-grpc==$opentelemetry" \
        "opentelemetry-instrumentation-grpc==$opentelemetry_contrib"
    touch "$tools/.opentelemetry-$opentelemetry"
fi

made=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$made"' EXIT
port=$(free_port) admin=$(free_port) orders=$(free_port) machines=$(free_port) collector=$(free_port)
changes=$(realpath "$here/../../examples/shop") descriptors=$(realpath "$3")
cat > "$made/gateway.yaml" << YAML
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: /dev/null
tracing: {collector: 127.0.0.1:$collector, every: 20ms, share: none}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $descriptors}
      - {name: v2, package: shop.orders.v2, schema: $descriptors}
      - {name: v3, package: shop.orders.v3, schema: $descriptors}
    changes: [$changes/orders-v1-v2.yaml, $changes/orders-v2-v3.yaml]
    instances: [{address: 127.0.0.1:$orders, versions: [v3]}]
  - name: machines
    versions: [{name: v1, package: shop.machines.v1, schema: $descriptors}]
    instances: [127.0.0.1:$machines]
YAML
start_gateway "$made/gateway.yaml" "$admin"
"$tools/venv/bin/python" "$here/tracing.py" "127.0.0.1:$port" "127.0.0.1:$orders" "127.0.0.1:$machines" "127.0.0.1:$collector"
