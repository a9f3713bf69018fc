#!/bin/bash
# Clients in Go, through the gateway: grpc-go and connect-go (clients/) to grpc-go's interop server; grpcurl and buf curl,
# by schema files and by the gateway's reflection, to the shop's third version, as all three.
#   clients.sh GATEWAY FOLDER ORDERS STUBS SHOP
# ORDERS is the shop's descriptor set, STUBS its Python modules, SHOP its sources. FOLDER keeps the programs; they come
# from the Go module proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2") orders=$(realpath "$3") stubs=$(realpath "$4") shop=$(realpath "$5")
. "$here/tools.sh"
go_install google.golang.org/grpc/interop "$grpc_go" server
go_install github.com/fullstorydev/grpcurl/cmd "$grpcurl" grpcurl
go_install github.com/bufbuild/buf/cmd "$buf" buf
need_go
go build -C "$here/clients" -o "$tools/clients" .

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null; rm -rf "$folder"' EXIT
passed=0 failed=0

upstream=$(free_port)
"$tools/server" -port "$upstream" > "$folder/server.log" 2>&1 &
wait_for "$upstream" $!
start_interop_gateway "$folder" "$upstream"
"$tools/clients" "127.0.0.1:$port" > "$folder/out" || true
cat "$folder/out"
read -r passed failed < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$folder/out"; echo 0 1)

upstream=$(free_port) port=$(free_port) secure=$(free_port) admin=$(free_port)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
SHOP_STUBS=$stubs /usr/bin/python3 "$shop/backend_v3.py" --listen "127.0.0.1:$upstream" > "$folder/shop.log" 2>&1 &
wait_for "$upstream" $!
cat > "$folder/shop.yaml" <<YAML
listen:
  - 127.0.0.1:$port
  - {address: 127.0.0.1:$secure, tls: {certificate: cert.pem, key: key.pem}}
admin: 127.0.0.1:$admin
log: /dev/null
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: 127.0.0.1:$upstream, versions: [v3]}]
YAML
start_gateway "$folder/shop.yaml" "$admin"

# call TOOL METHOD: with the messages on standard input. buf has TLS: in cleartext this version of it speaks HTTP/1.1
# only, with --http2-prior-knowledge too (it allows both, and Go then takes the older).
call() {
    local buf=("$tools/buf" curl --cacert "$folder/cert.pem" -d @-) url=https://127.0.0.1:$secure/shop.orders.$2
    local protocol=${1#buf-}
    case $1 in
    grpcurl) "$tools/grpcurl" -plaintext -d @ "127.0.0.1:$port" "shop.orders.$2" ;;
    grpcurl-schema) "$tools/grpcurl" -plaintext -protoset "$orders" -d @ "127.0.0.1:$port" "shop.orders.$2" ;;
    *-schema) "${buf[@]}" --protocol "${protocol%-schema}" --schema "$orders" "$url" ;;
    *) "${buf[@]}" --protocol "$protocol" "$url" ;;
    esac
}

# check TOOL METHOD MESSAGES N: the answer has N members `id` or `ids` (of orders; a buyer has one, too).
check() {
    local n
    call "$1" "$2" <<< "$3" > "$folder/out" 2>&1 || true
    n=$(tr -d '\n' < "$folder/out" | { grep -oE '"(id|ids)": *(\[[^]]*|"[a-z0-9-]+")' || true; } | wc -l)
    if [ "$n" = "$4" ]; then
        echo "ok      $1: $2"
        passed=$((passed + 1))
    else
        echo "FAILED  $1: $2: $n of $4"
        head -20 "$folder/out"
        failed=$((failed + 1))
    fi
}

order='"lines": [{"sku": "teapot", "quantity": 1}], "currency": "EUR", "total": {"units": "19"}, "state": "DELIVERED",
    "delivery": {"address": {"street": "1 Kirkgate", "city": "Leeds", "postalCode": "LS1"}}'
for tool in grpcurl grpcurl-schema buf-{grpc,grpcweb,connect}{,-schema}; do
    one="{\"order\": {\"id\": \"$tool-1\", \"buyer\": {\"id\": \"$tool\"}, $order}}"
    check "$tool" v3.Orders/Import "$one ${one/$tool-1/$tool-2}" 1
    check "$tool" v1.Orders/Get "{\"id\": \"$tool-1\"}" 1
    check "$tool" v2.Orders/Get "{\"id\": \"$tool-1\"}" 1
    check "$tool" v3.Orders/Get "{\"id\": \"$tool-1\"}" 2
    check "$tool" v1.Orders/Watch "{\"id\": \"$tool-1\"}" 1
    check "$tool" v3.Orders/Lookup "{\"id\": \"$tool-1\"} {\"id\": \"$tool-2\"}" 4
done
for symbol in shop.orders.v1.Orders shop.orders.v2.Orders shop.orders.v3.Orders; do
    "$tools/grpcurl" -plaintext "127.0.0.1:$port" describe "$symbol" > "$folder/out" 2>&1 || true
    if grep -q 'rpc Watch' "$folder/out"; then
        echo "ok      grpcurl describe $symbol"
        passed=$((passed + 1))
    else
        echo "FAILED  grpcurl describe $symbol"
        head -20 "$folder/out"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
