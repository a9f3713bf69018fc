/*
 * A path as a request may have it. Its normal form is its own normal form, and has no dot segments;
 * nor has its loose reading, decoded once more.
 */
#include "base/arena.h"
#include "base/text/percent.h"
#include "protocols/http/http_path.h"
#include "protocols/http/http_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_dot_segment(Bytes path)
{
    Bytes segment;
    while (bytes_split(&path, '/', &segment)) {
        if (bytes_are(segment, ".") || bytes_are(segment, ".."))
            return true;
    }
    return false;
}

static void check_loose(Bytes normal, Arena *arena)
{
    Bytes loose;
    Result r = http_path_read_loosely(normal, arena, &loose);
    if (failed(r)) {
        CHECK(r.error->fault == &FAULT_BAD_REQUEST);
        return;
    }
    CHECK(loose.size && loose.data[0] == '/' && !has_dot_segment(loose));
    for (size_t i = 1; i < loose.size; i++)
        CHECK(loose.data[i] != '\\' && !(loose.data[i] == '/' && loose.data[i - 1] == '/'));
    Buffer decoded = buffer_in(arena);
    percent_decode_leniently(&decoded, loose);
    CHECK(bytes_equal(buffer_bytes(&decoded), loose));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes path = bytes_slice(bytes(data, size), 0, bytes_find(bytes(data, size), '?')), normal,
          again;
    if (!http_is_path(path) || path.data[0] != '/')
        return 0;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = http_path_normalize(path, arena, &normal);
    CHECK(!failed(r) || r.error->fault == &FAULT_BAD_REQUEST);
    if (!failed(r)) {
        CHECK(http_is_path(normal) && normal.size <= path.size && !has_dot_segment(normal));
        CHECK(!failed(http_path_normalize(normal, arena, &again)) && bytes_equal(normal, again));
        check_loose(normal, arena);
    }
    arena_free(arena);
    return 0;
}
