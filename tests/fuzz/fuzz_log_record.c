/* Any bytes as a line of the log: a record is written whole, or not at all. */
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/otlp/log_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    static const char *const hidden[] = {"path", "a.b", NULL};
    const LogRecordForm form = {.redact = size % 2 ? hidden : NULL, .observed = 1};
    bool written = log_record_write(bytes(data, size), &form, arena, &out);
    CHECK(written == (out.size > 0));
    Bytes record = wire_find_bytes(buffer_bytes(&out), 2);
    CHECK(!written || record.size);
    WireReader reader = wire_reader(record);
    for (WireField field; wire_next(&reader, &field);)
        CHECK(field.number >= 1 && field.number <= 12);
    CHECK(!reader.bad);
    arena_free(arena);
    return 0;
}
