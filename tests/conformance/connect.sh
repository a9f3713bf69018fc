#!/bin/bash
# connectrpc's conformance suite.   connect.sh GATEWAY FOLDER server [UPSTREAM...] | client [CLIENT...]
#   server  the suite's client calls the gateway, which stands in front of each of the suite's servers
#   client  the suite's client calls the suite's scripted servers through the gateway, in each of the ways in which
#           it can speak to the gateway
# FOLDER keeps the suite's programs; they come from the Go module proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2")
mode=$3
shift 3
if [ $# -eq 0 ] && [ "$mode" = server ]; then
    set -- grpc connect-h1 connect-h1-json connect-h2 connect-h2-json grpc-web-h1 grpc-go
elif [ $# -eq 0 ]; then
    set -- same grpc connect-h1 connect-h2 grpc-web-h1 grpc-web-h2
fi

. "$here/tools.sh"
go_install connectrpc.com/conformance/cmd "$connect_conformance" \
    connectconformance referenceserver referenceclient grpcserver
if [ ! -f "$tools/conformance.binpb" ]; then
    module=$(go mod download -json "connectrpc.com/conformance@$connect_conformance" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    protos=connectrpc/conformance/v1
    protoc -I "$module/proto" --include_imports --descriptor_set_out="$tools/conformance.binpb" \
        $protos/service.proto $protos/server_compat.proto $protos/client_compat.proto
fi

# What cannot be asked, and why that lies outside the gateway.
skipped() {
    # A server of HTTP/1.1 need not answer before the request has ended, and the suite's does not: behind it
    # there is no full duplex (half duplex there is).
    [[ $mode-$1 != server-*-h1* ]] || echo '**/full-duplex/**'
    # The suite's grpc-go server does not have the method that Connect GET is tried with.
    [[ $mode-$1 != server-grpc-go ]] || echo 'Connect with GET/**'
    # The case wants the client's codec in the URL that the server saw, where an instance's own stands.
    [[ $mode-$1 != server-connect-h[12] ]] || echo 'Connect with GET/**/Codec:CODEC_JSON/**'
    [[ $mode-$1 != server-connect-*-json ]] || echo 'Connect with GET/**/Codec:CODEC_PROTO/**'
    # These protocols have no GET.
    [[ $mode-$1 != client-grpc* ]] || echo 'Connect with GET/**'
}

passed=0
failed=0
for way in "$@"; do
    echo "== $mode mode: $way"
    skip=()
    while read -r pattern; do skip+=(--skip "$pattern"); done < <(skipped "$way")
    log=$tools/$mode-$way.log
    "$tools/connectconformance" --mode "$mode" --conf "$here/connect.yaml" "${skip[@]}" -- \
        /usr/bin/python3 "$here/connect_$mode.py" "$gateway" "$tools" "$way" > "$log" 2>&1 || true
    verdict=$(/usr/bin/python3 "$here/connect_verdict.py" "$log")
    tail -40 <<< "$verdict"
    summary=$(tail -1 <<< "$verdict")
    passed=$((passed + $(sed -E 's/ passed.*//' <<< "$summary")))
    failed=$((failed + $(sed -E 's/.*, ([0-9]+) failed/\1/' <<< "$summary")))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
