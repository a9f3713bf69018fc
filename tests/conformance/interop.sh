#!/bin/bash
# grpc-go's interop client and server, with the gateway between them.   interop.sh GATEWAY FOLDER
# FOLDER keeps the programs; they come from the Go module proxy. Left out: cases that need credentials of a
# cloud, and those in which this server fails this client without a gateway, too (pick_first_unary, orca_*).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
go_install google.golang.org/grpc/interop "$grpc_go" client server

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$folder"' EXIT
protoc -I /usr/share/grpc-proto --include_imports --descriptor_set_out="$folder/testing.binpb" \
    grpc/testing/test.proto
port=$(free_port) upstream=$(free_port) admin=$(free_port)
cat > "$folder/gateway.yaml" <<YAML
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: /dev/null
services:
  - name: testing
    versions: [{name: v1, package: grpc.testing, schema: testing.binpb}]
    instances: [127.0.0.1:$upstream]
routes:
  - {match: testing, unknown_fields: keep, unknown_answer_fields: keep}
YAML
"$tools/server" -port "$upstream" > "$folder/server.log" 2>&1 &
"$gateway" run "$folder/gateway.yaml" > "$folder/gateway.log" 2>&1 &
for _ in $(seq 200); do curl -sf "http://127.0.0.1:$admin/readyz" > /dev/null && break; sleep 0.05; done

passed=0 failed=0
for case in empty_unary large_unary client_streaming server_streaming ping_pong empty_stream \
    timeout_on_sleeping_server cancel_after_begin cancel_after_first_response status_code_and_message \
    special_status_message custom_metadata unimplemented_method unimplemented_service; do
    if timeout 30 "$tools/client" -server_host 127.0.0.1 -server_port "$port" -test_case "$case" \
        > "$folder/out" 2>&1; then
        echo "ok      $case"
        passed=$((passed + 1))
    else
        echo "FAILED  $case"
        tail -5 "$folder/out"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
