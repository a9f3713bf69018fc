#!/bin/bash
# OpenAPI documents of the shop under tools of others (openapi.py).   openapi.sh GATEWAY FOLDER [SERVICE|VERSION]...
# FOLDER keeps the tools.
set -euo pipefail
gateway=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
tools=$(realpath "$2")
shift 2
. "$here/tools.sh"
wanted="$openapi_spec_validator-$schemathesis-$openapi_python_client"
if [ ! -e "$tools/.installed-$wanted" ]; then
    /usr/bin/python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet "openapi-spec-validator==$openapi_spec_validator" "schemathesis==$schemathesis" \
        "openapi-python-client==$openapi_python_client" || { echo 'the tools cannot be installed: this target needs PyPI' >&2; exit 1; }
    touch "$tools/.installed-$wanted"
fi
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$here/openapi.py" "$gateway" "$tools/venv" "$tools/run" "$@"
