#!/bin/bash
# Google's long-running client (PyPI's google-api-core), over gRPC and REST, unchanged.   operations.sh GATEWAY FOLDER
# FOLDER keeps the client.
set -euo pipefail
# shellcheck disable=SC2034
gateway=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../..")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
if [ ! -e "$tools/.google-api-core-$google_api_core" ]; then
    /usr/bin/python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet "google-api-core[grpc]==$google_api_core"
    touch "$tools/.google-api-core-$google_api_core"
fi

made=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$made"' EXIT
protoc -I"$here/operations" -I"$root/gateway/job_view/proto" -I"$root/examples/shop/proto" --include_imports \
    --descriptor_set_out="$made/slow.binpb" slow.proto
protoc -I"$here/operations" --descriptor_set_out="$made/types.binpb" types.proto
port=$(free_port) admin=$(free_port) service=$(free_port)
cat > "$made/gateway.yaml" << YAML
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: /dev/null
store: {sqlite: $made/jobs.db}
identity_header: x-client
trusted_proxies: [127.0.0.0/8]
services:
  - name: slow
    versions: [{name: v1, package: slow.v1, schema: slow.binpb}]
    instances: [127.0.0.1:$service]
jobs:
  - method: slow.Sites/Create
    result: slow.v1.Site
    answer: {name: request.name, address: steps.make.address}
    state: state
    resource: {kind: site, key: request.name}
    steps:
      - name: make
        method: slow.Sites/Make
        request: {name: request.name}
        retry: 1h
        undo: {method: slow.Sites/Unmake, request: {name: request.name}}
YAML
start_gateway "$made/gateway.yaml" "$admin"
"$tools/venv/bin/python" "$here/operations.py" "$made/types.binpb" "127.0.0.1:$port" "127.0.0.1:$service"
