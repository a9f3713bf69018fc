/* What only the gateway says: whatever a service sends, taking it out twice is taking it out
   once. */
#include "base/arena.h"
#include "gateway/headers/own_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "name: value" lines. */
static Fields read_fields(Bytes text, Arena *arena)
{
    Fields fields = fields_in(arena);
    Bytes line;
    while (bytes_split(&text, '\n', &line)) {
        size_t colon = bytes_find(line, ':');
        fields_add(&fields, bytes_slice(line, 0, colon),
                   bytes_trim(bytes_slice(line, colon + 1, SIZE_MAX)));
    }
    return fields;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Service service = {.name = "orders", .version_header = "api-version"};
    Version version = {
        .name = "v1", .service = &service, .deprecated = 1, .sunset = 1, .successor_link = "/v2"};
    OwnFields own = {.version = &version, .served = &version, .cors = true};
    Fields fields = read_fields(bytes(data, size), arena);
    own_fields_remove(&own, &fields);
    own_fields_merge_vary(&fields);

    uint32_t n = fields.n;
    Bytes links = fields_joined(&fields, "link"), vary = fields_joined(&fields, "vary");
    own_fields_remove(&own, &fields);
    own_fields_merge_vary(&fields);
    CHECK(fields.n == n);
    CHECK(bytes_equal(fields_joined(&fields, "link"), links));
    CHECK(bytes_equal(fields_joined(&fields, "vary"), vary));
    CHECK(!fields_get(&fields, "x-request-id").data && !fields_get(&fields, "api-version").data);
    arena_free(arena);
    return 0;
}
