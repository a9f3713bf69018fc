#!/bin/sh
# Builds the gateway twice, from copies of the tree in folders of other names and lengths, at other times, with other users' settings,
# and compares the bits: reproducible.sh SOURCE. Without ccache, which would give the second build the first one's objects.
set -e
source=$1
commit=$(git -C "$source" rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CCACHE_DISABLE=1 SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct "$commit")
build() { # FOLDER LOCALE ZONE UMASK JOBS
    mkdir -p "$work/$1"
    git -C "$source" archive "$commit" | tar -x -C "$work/$1"
    (umask "$4"; export LC_ALL="$2" TZ="$3" HOME="$work/$1"
     cd "$work/$1" && export CFLAGS="-ffile-prefix-map=$PWD=." && meson setup build >meson.log && ninja -C build -j"$5" passerelle >ninja.log) || { cat "$work/$1"/*.log; exit 1; }
    cp "$work/$1/build/passerelle" "$work/passerelle-$5"
}
build one C UTC 022 2
sleep 2
build a/longer/name/for/two C.UTF-8 Asia/Tokyo 077 1
sha256sum "$work/passerelle-2" "$work/passerelle-1" | sed "s|$work/||"
cmp "$work/passerelle-2" "$work/passerelle-1" && echo "the same bits twice"
