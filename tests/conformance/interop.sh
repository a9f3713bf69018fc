#!/bin/bash
# gRPC's interop cases, with the gateway between clients and servers written by others: grpc-go's client and
# grpc-java's, each before grpc-go's server and grpc-java's.   interop.sh GATEWAY FOLDER
# FOLDER keeps the programs; they come from the Go module proxy and from Maven Central.
#
# Of gRPC's list these make sense through a proxy, but cannot be shown with these programs:
#   cacheable_unary (neither server has its method), pick_first_unary and orca_* (they fail here without a
#   gateway, too), *_creds and *_credentials (they need a cloud).
# grpc-go has no cases of compression. Those that ask whether the server noticed it (without "noprobe") fail in
# front of grpc-java's server without a gateway, too: it does not look.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
go_install google.golang.org/grpc/interop "$grpc_go" client server
if [ ! -d "$tools/java-$grpc_java" ]; then
    echo "installing io.grpc:grpc-interop-testing:$grpc_java"
    mvn -q -B -f "$here/interop.xml" "-Dgrpc=$grpc_java" "-DoutputDirectory=$tools/java-$grpc_java" dependency:copy-dependencies
fi

cases=(empty_unary large_unary client_streaming server_streaming ping_pong empty_stream
    timeout_on_sleeping_server cancel_after_begin cancel_after_first_response status_code_and_message
    special_status_message custom_metadata unimplemented_method unimplemented_service)
compressed=(client_compressed_unary_noprobe server_compressed_unary client_compressed_streaming_noprobe
    server_compressed_streaming)

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$folder"' EXIT
# Takes the place of its shell, so that whoever ends that ends it.
java_program() {
    local program=$1
    shift
    exec java -XX:TieredStopAtLevel=1 -cp "$tools/java-$grpc_java/*" "io.grpc.testing.integration.$program" --use_tls=false "$@"
}
go_client() { timeout 30 "$tools/client" -server_host 127.0.0.1 -server_port "$1" -test_case "$2"; }
java_client() (java_program TestServiceClient --server_host=127.0.0.1 --server_port="$1" --test_case="$2")
go_server() { exec "$tools/server" -port "$1"; }
java_server() { java_program TestServiceServer --port="$1"; }

passed=0 failed=0
# run_cases CLIENT SERVER CASE...: through the gateway at $port.
run_cases() {
    local client=$1 server=$2 case
    shift 2
    for case in "$@"; do
        if "${client}_client" "$port" "$case" > "$folder/out" 2>&1; then
            echo "ok      $client, $server: $case"
            passed=$((passed + 1))
        else
            echo "FAILED  $client, $server: $case"
            tail -5 "$folder/out"
            failed=$((failed + 1))
        fi
    done
}

for server in go java; do
    upstream=$(free_port)
    "${server}_server" "$upstream" > "$folder/$server.log" 2>&1 &
    wait_for "$upstream" $!
    start_interop_gateway "$folder" "$upstream"
    run_cases go "$server" "${cases[@]}"
    run_cases java "$server" "${cases[@]}"
    [ "$server" = go ] || run_cases java "$server" "${compressed[@]}"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
