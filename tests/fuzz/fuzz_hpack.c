/*
 * Header blocks, read by us and by nghttp2: both take or refuse them, and find the same fields. The
 * input is a list of blocks, each behind its size; the first byte says whether they come to us in
 * one piece or byte by byte.
 */
#include "base/arena.h"
#include "base/result.h"
#include "protocols/http2/hpack_decoder.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every field is counted, and told byte by byte. */
typedef struct Sum {
    uint64_t n, hash;
    bool broken;
} Sum;

static void add(Sum *sum, Bytes name, Bytes value)
{
    sum->n++;
    sum->hash = sum->hash * 31 + bytes_hash(name);
    sum->hash = sum->hash * 31 + bytes_hash(value);
}

static Sum read_ours(HpackDecoder *decoder, Bytes text, bool whole)
{
    Sum sum = {0};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    HpackBlock block = {.rest = text, .whole = whole, .arena = arena};
    HpackField field;
    HpackOutcome outcome;
    size_t shown = whole ? text.size : 0;
    hpack_decoder_begin(decoder);
    do {
        if (!whole) {
            shown += shown < text.size;
            block.rest.size = shown - (size_t)(block.rest.data - text.data);
        }
        outcome = hpack_decode(decoder, &block, &field);
        if (outcome == HPACK_FIELD)
            add(&sum, field.name, field.value);
    } while (outcome == HPACK_FIELD || (outcome != HPACK_BROKEN && shown < text.size));
    sum.broken = outcome != HPACK_END;
    arena_free(arena);
    return sum;
}

static Sum read_theirs(nghttp2_hd_inflater *inflater, Bytes text)
{
    Sum sum = {0};
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, text.data, text.size, 1);
        if (used < 0) {
            sum.broken = true;
            return sum;
        }
        text = bytes(text.data + used, text.size - (size_t)used);
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            add(&sum, bytes(nv.name, nv.namelen), bytes(nv.value, nv.valuelen));
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    HpackDecoder decoder;
    nghttp2_hd_inflater *inflater;
    bool whole = data[0] & 1, broken = false;
    Bytes input = bytes(data + 1, size - 1);
    hpack_decoder_init(&decoder);
    CHECK(nghttp2_hd_inflate_new(&inflater) == 0);
    while (input.size && !broken) {
        size_t n = input.data[0] < 255 ? input.data[0] : SIZE_MAX;
        Bytes text = bytes_slice(input, 1, n);
        input = bytes_slice(input, 1 + text.size, SIZE_MAX);
        if (text.size == 0)
            continue;
        Sum ours = read_ours(&decoder, text, whole), theirs = read_theirs(inflater, text);
        CHECK(ours.broken == theirs.broken);
        CHECK(ours.n == theirs.n && ours.hash == theirs.hash);
        broken = ours.broken;
        CHECK(broken ||
              decoder.table.n + HPACK_STATIC == nghttp2_hd_inflate_get_num_table_entries(inflater));
    }
    nghttp2_hd_inflate_del(inflater);
    hpack_decoder_deinit(&decoder);
    return 0;
}
