#!/bin/bash
# Large bodies and storms of calls that are broken off, through the gateway, by clients and proxies written by others.
#   storms.sh GATEWAY FOLDER PROTOS [BYTES [CALLS]]
# PROTOS has google/api. FOLDER keeps the programs. BYTES (500000000) go each way, CALLS (20000) end by their
# deadlines or are refused. What is not installed is left out, and said.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2") protos=$3 bytes=${4:-500000000} calls=${5:-20000}
. "$here/tools.sh"
need_go
go build -C "$here/clients" -o "$tools/storms" ./storms

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$folder"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$folder/key.pem" -out "$folder/cert.pem" 2> /dev/null
protoc -I "$here" -I "$protos" --include_imports --descriptor_set_out="$folder/storms.binpb" storms.proto
grpc=$(free_port) http=$(free_port)
"$tools/storms" serve "$grpc" "$http" >> "$folder/serve.log" 2>&1 &
wait_for "$grpc" $!
wait_for "$http" $!

# start_before INSTANCE: the gateway before this port of gRPC; sets $port, and $secure for TLS.
start_before() {
    local admin
    port=$(free_port) secure=$(free_port) admin=$(free_port)
    cat > "$folder/$port.yaml" <<YAML
listen:
  - 127.0.0.1:$port
  - {address: 127.0.0.1:$secure, tls: {certificate: cert.pem, key: key.pem}}
admin: 127.0.0.1:$admin
log: /dev/null
services:
  - name: storms
    versions: [{name: v1, package: storms.v1, schema: storms.binpb}]
    instances: [127.0.0.1:$1]
routes:
  - {match: storms, timeout: 600s}
  - {match: /big/, timeout: 600s, instances: [{address: '127.0.0.1:$http', protocol: http}]}
YAML
    start_gateway "$folder/$port.yaml" "$admin"
}

passed=0 failed=0 left_out=0
# told NAME STATUS TEXT
told() {
    if [ "$2" = 0 ]; then
        echo "ok      $1: $3"
        passed=$((passed + 1))
    else
        echo "FAILED  $1: $3"
        failed=$((failed + 1))
    fi
}
# tells NAME COMMAND...: a program that tells of several parts.
tells() {
    local name=$1
    shift
    "$@" > "$folder/out" 2> "$folder/err" || true
    sed -E "s#^(ok      |FAILED  )#&$name, #" "$folder/out"
    passed=$((passed + $(grep -c '^ok ' "$folder/out" || true)))
    failed=$((failed + $(grep -c '^FAILED ' "$folder/out" || true)))
    grep -qE '^(ok|FAILED) ' "$folder/out" || told "$name" 1 "nothing was told: $(tail -1 "$folder/err")"
}
# storms NAME WHAT PORT: parts of the Go program.
storms() { tells "$1" "$tools/storms" run "$bytes" "$calls" "$2" "127.0.0.1:$3"; }
java_program() (exec java -XX:TieredStopAtLevel=1 -cp "$tools/java-$grpc_java/*" "$here/Storms.java" "$@")
# here PROGRAM WHAT: whether it is installed, or it is said that its part is left out.
here() {
    command -v "$1" > /dev/null && return
    echo "left out: $2; there is no $1 in PATH"
    left_out=$((left_out + 1))
    return 1
}
# moved NAME COMMAND...: it prints how many bytes it moved, and seconds.
moved() {
    local name=$1 n=0 seconds=
    shift
    read -r n seconds < <("$@" 2> "$folder/err") || true
    [ "$n" = "$bytes" ]
    told "$name" $? "$n bytes in $seconds s $(tail -1 "$folder/err")"
}

start_before "$grpc"
direct=$port direct_tls=$secure
storms "direct" "" "$direct"

set +e
if here curl "curl"; then
    for path in big files; do
        moved "curl, $path-get" curl -sS --http2-prior-knowledge -o /dev/null -w '%{size_download} %{time_total}\n' \
            "http://127.0.0.1:$direct/$path/$bytes"
        moved "curl, $path-post" bash -c "head -c $bytes /dev/zero | curl -sS --http2-prior-knowledge -o /dev/null -T - -X POST \
            -H 'content-type: application/octet-stream' -w '%{size_upload} %{time_total}\n' http://127.0.0.1:$direct/$path$([ $path = big ] && echo /)"
    done
fi
if here node "Node's http2"; then
    for part in get post deadlines; do
        node "$here/storms.mjs" "$part" "$bytes" "$calls" "http://127.0.0.1:$direct" > "$folder/out" 2>&1
        told "Node, $part" $? "$(tail -1 "$folder/out")"
    done
fi

# proxy NAME CLIENT-PORT: both sides of a proxy that speaks HTTP/2: before the gateway, and as its instance.
proxy() {
    storms "$1" grpc-go "$2"
    storms "$1" connect-go-grpc-web "$2"
}
if here haproxy "HAProxy"; then
    before=$(free_port) behind=$(free_port)
    cat > "$folder/haproxy.cfg" <<CFG
global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    option http-no-delay
listen before
    bind 127.0.0.1:$before proto h2
    server gateway 127.0.0.1:$direct proto h2
listen behind
    bind 127.0.0.1:$behind proto h2
    server service 127.0.0.1:$grpc proto h2
CFG
    haproxy -db -f "$folder/haproxy.cfg" > "$folder/haproxy.log" 2>&1 &
    wait_for "$behind" $!
    proxy "HAProxy before" "$before"
    storms "HAProxy before" net/http "$before"
    start_before "$behind"
    proxy "HAProxy as the instance" "$port"
fi
if here nginx "nginx"; then
    before=$(free_port) behind=$(free_port)
    cat > "$folder/nginx.conf" <<CONF
daemon off;
pid $folder/nginx.pid;
error_log $folder/nginx.log warn;
worker_processes 1;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $folder/nginx-1;
    proxy_temp_path $folder/nginx-2;
    client_max_body_size 0;
    http2_max_requests 1000000;
    keepalive_requests 1000000;
    grpc_read_timeout 600s;
    grpc_send_timeout 600s;
    upstream gateway { server 127.0.0.1:$direct; keepalive 16; }
    upstream service { server 127.0.0.1:$grpc; keepalive 16; }
    server { listen 127.0.0.1:$before http2; location / { grpc_pass gateway; } }
    server { listen 127.0.0.1:$behind http2; location / { grpc_pass service; } }
}
CONF
    nginx -c "$folder/nginx.conf" > "$folder/nginx.out" 2>&1 &
    wait_for "$behind" $!
    proxy "nginx before" "$before"
    start_before "$behind"
    # Without deadlines: nginx makes a 502 of a call that the service behind it ends by its deadline before the client does.
    for part in grpc-go-get grpc-go-put grpc-go-refused connect-go-grpc-web; do
        storms "nginx as the instance" "$part" "$port"
    done
fi
if here javac "grpc-java" && here mvn "grpc-java"; then
    [ -d "$tools/java-$grpc_java" ] ||
        mvn -q -B -f "$here/interop.xml" "-Dgrpc=$grpc_java" "-DoutputDirectory=$tools/java-$grpc_java" dependency:copy-dependencies
    tells "direct" java_program run "$bytes" "$calls" "127.0.0.1:$direct"
    behind=$(free_port)
    java_program serve "$behind" > "$folder/java.log" 2>&1 &
    wait_for "$behind" $!
    start_before "$behind"
    storms "grpc-java as the instance" grpc-go "$port"
fi
# The page tells by requests of its own, which the service prints.
in_chromium() {
    : > "$folder/serve.log"
    chromium --headless --no-sandbox --disable-gpu --ignore-certificate-errors --user-data-dir="$folder/chromium" \
        "https://127.0.0.1:$direct_tls/big/page?bytes=$bytes&calls=$calls" > "$folder/chromium.log" 2>&1 &
    for _ in $(seq 1200); do
        grep -q 'ok      end' "$folder/serve.log" && break
        sleep 0.25
    done
    kill $!
    grep -v 'ok      end' "$folder/serve.log"
    [ "$(grep -c . "$folder/serve.log")" = 4 ] || echo "FAILED  not all was told"
}
if here chromium "Chromium"; then
    tells "Chromium" in_chromium
fi
echo "left out: Envoy; no registry that this suite takes programs from has it"
echo "$passed passed, $failed failed, $left_out left out"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
