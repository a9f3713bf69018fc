#!/bin/bash
# What others read: dashboards by Grafana's own types, and profiles by Go's pprof.
#   dashboards.sh GATEWAY FOLDER DESCRIPTORS         FOLDER keeps the program
set -euo pipefail
# shellcheck disable=SC2034
gateway=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
need_go
(cd "$here/dashboards" && go build -o "$tools/dashboards" .)

made=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$made"' EXIT
# The config of the tests, which has all that there are dashboards of.
PASSERELLE=$gateway SHOP_STUBS=$(dirname "$(realpath "$3")")/stubs PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/../flow /usr/bin/python3 - "$made" << 'PYTHON'
import pathlib
import sys

from monitored import generated, monitored

folder = pathlib.Path(sys.argv[1])
gateway = monitored(folder)
gateway.write()
generated(gateway.file, folder)
PYTHON
"$tools/dashboards" "$made"/dashboards/*.json
for wrong in 's/"refId"/"refID"/' 's/"gridPos"/"gridpos"/' 's/"timeseries"/7/'; do
    sed "$wrong" "$made/dashboards/passerelle-healing.json" > "$made/wrong.json"
    if "$tools/dashboards" "$made/wrong.json" > /dev/null; then
        echo "a dashboard after $wrong is not found to be wrong"
        exit 1
    fi
done

port=$(free_port) admin=$(free_port)
cat > "$made/profiled.yaml" << YAML
listen: [127.0.0.1:$port]
admin: {address: 127.0.0.1:$admin, socket: 'unix:$made/admin.sock', profiles: {heap: true}}
log: /dev/null
routes: [{match: /, instances: ['127.0.0.1:1']}]
YAML
start_gateway "$made/profiled.yaml" "$admin"
(for _ in $(seq 100000); do curl -s "http://127.0.0.1:$port/[1-200]" > /dev/null; done) &
"$gateway" profile --admin "unix:$made/admin.sock" --seconds 5 -o "$made/cpu.pb.gz"
"$gateway" profile --admin "unix:$made/admin.sock" --heap -o "$made/heap.pb.gz"
go tool pprof -top -cum "$made/cpu.pb.gz" 2> /dev/null | tee "$made/top" | head -20
grep -q ' worker_run$' "$made/top"
go tool pprof -top -cum "$made/heap.pb.gz" 2> /dev/null | tee "$made/top" | head -12
grep -q ' request_ring_init$' "$made/top"
