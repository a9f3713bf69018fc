/* A parameter $alt: it begins with the form that it means, or is refused and named. */
#include "base/arena.h"
#include "gateway/rest/rest_alt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes text = bytes(data, size);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RestAlt alt;
    Result r = rest_alt_read(text, arena, &alt);
    if (failed(r)) {
        CHECK(r.error->fault == &FAULT_BAD_VALUE && strcmp(r.error->field, "$alt") == 0);
        CHECK(!bytes_are(text, "json") && !bytes_are(text, "proto"));
    } else {
        CHECK(alt == REST_ALT_PROTO ? bytes_are(text, "proto") : bytes_start_with(text, "json"));
    }
    arena_free(arena);
    return 0;
}
