/* Any list of compressions and weights gives a favourite that is in the set, or none. */
#include "base/arena.h"
#include "protocols/http/compression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Acceptance read = compressions_read(bytes(data, size));
    CHECK(!(read.set & ~(uint32_t)COMPRESSION_ALL));
    CHECK(read.favourite == COMPRESSION_IDENTITY || (read.set & read.favourite));
    CHECK(!(read.no_identity && read.set && read.favourite == COMPRESSION_IDENTITY));
    /* What is written is read again. */
    Acceptance again = compressions_read(compressions_write(read.set, arena));
    CHECK(again.set == read.set);
    arena_free(arena);
    return 0;
}
