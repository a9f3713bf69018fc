/* A list of media ranges: each element and its parameters lie within it, in order. */
#include "base/arena.h"
#include "base/text/media_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(Bytes part, const uint8_t *from, const uint8_t *to)
{
    CHECK(part.size == 0 || (part.data >= from && part.data + part.size <= to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes rest = bytes(data, size);
    MediaRange range;
    const uint8_t *from = data;
    while (media_range_next(&rest, &range)) {
        const uint8_t *to = rest.data ? rest.data : data + size;
        CHECK(range.quality <= QUALITY_MOST);
        check_within(range.type, from, to);
        check_within(range.parameters, from, to);
        check_within(media_parameter(range.parameters, "version"), from, to);
        from = to;
    }
    CHECK(!rest.data);
    return 0;
}
