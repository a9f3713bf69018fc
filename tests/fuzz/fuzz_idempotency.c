/* Idempotency keys and records: a key is printable and has no more than its bytes; what is read of
   a record is written so that it reads as the same again. */
#include "base/arena.h"
#include "gateway/idempotency/claim_record.h"
#include "gateway/idempotency/idempotency_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 32 };

static void check_key(Arena *arena, Bytes value)
{
    Fields fields = fields_in(arena);
    Bytes key;
    fields_add(&fields, bytes_of("idempotency-key"), value);
    if (failed(idempotency_key_read(&fields, MOST, arena, &key)))
        return;
    CHECK(key.size > 0 && key.size <= MOST && key.size <= value.size);
    for (size_t i = 0; i < key.size; i++)
        CHECK(key.data[i] >= ' ' && key.data[i] <= '~');
}

static void check_record(Arena *arena, Bytes text)
{
    ClaimRecord record, again;
    Buffer first = buffer_in(arena), second = buffer_in(arena);
    if (failed(claim_record_read(text, arena, &record)))
        return;
    claim_record_write(&record, &first);
    CHECK(!failed(claim_record_read(buffer_bytes(&first), arena, &again)));
    claim_record_write(&again, &second);
    CHECK(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    check_key(arena, bytes(data, size));
    check_record(arena, bytes(data, size));
    arena_free(arena);
    return 0;
}
