#!/bin/bash
# Google's gapic-showcase: its clients of REST and its compliance suite, before the gateway; its server behind, by gRPC.   showcase.sh GATEWAY FOLDER
# FOLDER keeps the program; its modules come from the Go module proxy. The paths of the services that the API mixes in are in its
# service YAML only.
set -euo pipefail
# shellcheck disable=SC2034
gateway=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
need_go
go build -C "$here/showcase" -o "$tools/showcase" .

made=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$made"' EXIT
"$tools/showcase" descriptors "$made/showcase.binpb"
cp "$(go list -C "$here/showcase" -m -f '{{.Dir}}' github.com/googleapis/gapic-showcase)/schema/google/showcase/v1beta1/showcase_v1beta1.yaml" "$made"
port=$(free_port) admin=$(free_port) service=$(free_port)
cat > "$made/gateway.yaml" << YAML
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: $made/log
errors: {shape: google}
services:
  - name: showcase
    mixins: [google.cloud.location.Locations, google.iam.v1.IAMPolicy, google.longrunning.Operations]
    versions: [{name: v1beta1, package: google.showcase.v1beta1, schema: showcase.binpb, http_rules: showcase_v1beta1.yaml}]
    instances: [127.0.0.1:$service]
routes:
  - match: showcase
    json: {stream: array, enums_as_numbers: true}
    rest: {alt: true}
YAML
start_gateway "$made/gateway.yaml" "$admin"
"$tools/showcase" calls "127.0.0.1:$port" "127.0.0.1:$service" || { tail -n 20 "$made/log"; exit 1; }
