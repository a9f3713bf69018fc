/* What is printable is UTF-8 without control characters, on one line, and stays as it is. */
#include "base/arena.h"
#include "base/text/printable.h"
#include "base/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(Bytes text, bool lines)
{
    CHECK(utf8_valid(text));
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i], next = i + 1 < text.size ? text.data[i + 1] : 0;
        CHECK((c >= ' ' && c != 0x7f) || (lines && (c == '\n' || c == '\t')));
        CHECK(c != 0xc2 || next >= 0xa0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer line = buffer_in(arena), lines = buffer_in(arena), again = buffer_in(arena);
    printable_add(&line, bytes(data, size));
    printable_add_lines(&lines, bytes(data, size));
    check(buffer_bytes(&line), false);
    check(buffer_bytes(&lines), true);
    printable_add(&again, buffer_bytes(&line));
    CHECK(bytes_equal(buffer_bytes(&again), buffer_bytes(&line)));
    arena_free(arena);
    return 0;
}
