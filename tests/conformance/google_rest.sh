#!/bin/bash
# A REST client that Google's own generator makes (PyPI's gapic-generator), before a service of gRPC.   google_rest.sh GATEWAY FOLDER
# FOLDER keeps the generator.
set -euo pipefail
# shellcheck disable=SC2034
gateway=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
if [ ! -e "$tools/.gapic-generator-$gapic_generator-$google_api_core" ]; then
    /usr/bin/python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet "gapic-generator==$gapic_generator" "google-api-core[grpc]==$google_api_core" requests
    touch "$tools/.gapic-generator-$gapic_generator-$google_api_core"
fi

made=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$made"' EXIT
protos=$("$tools/venv/bin/python" -c 'import google.api, os; print(os.path.dirname(os.path.dirname(list(google.api.__path__)[0])))')
PATH=$tools/venv/bin:$PATH protoc -I"$here/google" -I"$protos" --python_gapic_out="$made" \
    --python_gapic_opt=transport=rest,autogen-snippets=false catalogue.proto
protoc -I"$here/google" -I"$protos" --include_imports --descriptor_set_out="$made/catalogue.binpb" catalogue.proto
port=$(free_port) admin=$(free_port) service=$(free_port)
cat > "$made/gateway.yaml" << YAML
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: /dev/null
errors: {shape: google}
services:
  - name: catalogue
    versions: [{name: v1, package: example.catalogue.v1, schema: catalogue.binpb}]
    instances: [127.0.0.1:$service]
routes:
  - match: catalogue
    json: {stream: array, enums_as_numbers: true}
    rest: {alt: true}
  - match: catalogue.Catalogue/UpdateThing
    json: {stream: array, enums_as_numbers: true}
    rest: {alt: true, update_masks: true}
YAML
start_gateway "$made/gateway.yaml" "$admin"
PYTHONPATH=$made "$tools/venv/bin/python" "$here/google_rest.py" "127.0.0.1:$port" "127.0.0.1:$service"
