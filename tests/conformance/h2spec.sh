#!/bin/bash
# h2spec, strict, cleartext and TLS.   h2spec.sh GATEWAY FOLDER ORDERS
# ORDERS is the shop's descriptor set: what is asked for is a method, since some cases send more to a request
# that an unknown path would have answered already.
# FOLDER keeps the h2spec program; it comes from the Go module proxy, or H2SPEC names one that is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2")
orders=$(realpath "$3")
. "$here/tools.sh"
[ -n "${H2SPEC:-}" ] || go_install github.com/summerwind/h2spec "$h2spec" cmd/h2spec
program=${H2SPEC:-$tools/h2spec}

folder=$(mktemp -d)
trap 'kill "$child" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$folder"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
plain=$(free_port) secure=$(free_port) admin=$(free_port)
cat > "$folder/gateway.yaml" <<YAML
listen:
  - 127.0.0.1:$plain
  - {address: 127.0.0.1:$secure, tls: {certificate: cert.pem, key: key.pem}}
admin: 127.0.0.1:$admin
loops: 1
log: /dev/null
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: "$orders"}]
    instances: [127.0.0.1:1]
YAML
"$gateway" run "$folder/gateway.yaml" > "$folder/log" 2>&1 &
child=$!
for _ in $(seq 100); do curl -sf "http://127.0.0.1:$admin/readyz" > /dev/null && break; sleep 0.05; done

passed=0 failed=0
for way in "-p $plain" "-p $secure -t -k"; do
    echo "== h2spec $way"
    # shellcheck disable=SC2086
    "$program" -S -P /v3/orders/1 -h 127.0.0.1 $way > "$folder/out" 2>&1 || true
    sed -n '/^Failures:/,/^Finished/p' "$folder/out"
    grep -aq ' tests, ' "$folder/out" || head -5 "$folder/out"
    summary=$(grep -aoE '[0-9]+ tests, [0-9]+ passed, [0-9]+ skipped, [0-9]+ failed' "$folder/out" | tail -1 || true)
    echo "${summary:-it did not run}"
    passed=$((passed + $(sed -E 's/.*, ([0-9]+) passed.*/\1/' <<< "${summary:-, 0 passed}")))
    failed=$((failed + $(sed -E 's/.* ([0-9]+) failed/\1/' <<< "${summary:- 1 failed}")))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
