#!/bin/bash
# connectrpc's conformance suite, server mode: the gateway in front of each of the suite's servers.
#   connect.sh GATEWAY FOLDER [UPSTREAM ...]
# FOLDER keeps the suite's programs; they come from the Go module proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2")
shift 2
[ $# -gt 0 ] || set -- grpc connect-h1 connect-h2 grpc-web-h1 grpc-go
version=v1.0.5

if [ ! -x "$tools/connectconformance" ]; then
    echo "installing connectrpc.com/conformance@$version"
    for program in connectconformance referenceserver referenceclient grpcserver; do
        GOBIN=$tools go install "connectrpc.com/conformance/cmd/$program@$version"
    done
fi
if [ ! -f "$tools/service.binpb" ]; then
    module=$(go mod download -json "connectrpc.com/conformance@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    protoc -I "$module/proto" --include_imports --descriptor_set_out="$tools/service.binpb" \
        connectrpc/conformance/v1/service.proto connectrpc/conformance/v1/server_compat.proto
fi

passed=0
failed=0
for upstream in "$@"; do
    echo "== in front of: $upstream"
    # A server of HTTP/1.1 need not answer before the request has ended, and the suite's does not: behind it
    # there is no full duplex (half duplex there is).
    skip=()
    [[ $upstream != *-h1 ]] || skip=(--skip '**/full-duplex/**')
    # The suite's grpc-go server does not have the method that Connect GET is tried with.
    [[ $upstream != grpc-go ]] || skip=(--skip 'Connect with GET/**')
    "$tools/connectconformance" --mode server --conf "$here/connect.yaml" "${skip[@]}" -- \
        /usr/bin/python3 "$here/connect_server.py" "$gateway" "$tools" "$upstream" \
        > "$tools/$upstream.log" 2>&1 || true
    grep -E '^(FAILED|INFO: .*known)' "$tools/$upstream.log" | head -40 || true
    tail -3 "$tools/$upstream.log"
    summary=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$tools/$upstream.log" | tail -1)
    passed=$((passed + $(sed -E 's/ passed.*//' <<< "${summary:-0 passed, 1 failed}")))
    failed=$((failed + $(sed -E 's/.*, ([0-9]+) failed/\1/' <<< "${summary:-0 passed, 1 failed}")))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
