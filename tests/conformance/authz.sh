#!/bin/bash
# Istio's policy server (samples/extauthz), unchanged, asked by the gateway.   authz.sh GATEWAY FOLDER ORDERS
# FOLDER keeps the server; it comes from the Go module proxy, or EXTAUTHZ names one that is there. ORDERS: the shop's descriptor set.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
[ -n "${EXTAUTHZ:-}" ] || go_install istio.io/istio "$istio" samples/extauthz/cmd/extauthz
PASSERELLE=$(realpath "$1") SHOP_STUBS=$(dirname "$(realpath "$3")")/stubs PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 "$here/authz.py" "${EXTAUTHZ:-$tools/extauthz}"
