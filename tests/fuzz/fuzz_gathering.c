/* Any answers of an instance that is asked for its schema, each behind two bytes of length: a
   schema, or an error, after a bounded number of questions. */
#include "adapters/schema/schema.h"
#include "base/arena.h"
#include "gateway/reflect/gathering.h"

enum { LIMIT = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Bytes take_answer(Bytes *rest)
{
    if (rest->size < 2)
        return BYTES_NONE;
    Bytes answer = bytes_slice(*rest, 2, (size_t)(rest->data[0] << 8 | rest->data[1]));
    *rest = bytes_slice(*rest, 2 + answer.size, rest->size);
    return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Gathering gathering;
    gathering_begin(&gathering, arena, "notes.v1", LIMIT);
    Bytes rest = bytes(data, size);
    Result r = OK;
    Buffer request = buffer_in(arena);
    bool asked = true;
    while (!failed(r) && rest.size && (asked = gathering_ask(&gathering, &request)))
        r = gathering_take(&gathering, take_answer(&rest));
    CHECK(gathering.size <= LIMIT || failed(r));
    if (!failed(r) && !asked) {
        const Schema *schema;
        r = schema_load(arena, buffer_bytes(&gathering.set), "fuzz", &schema);
        error_ignore(r, "what was told may not link");
    }
    arena_free(arena);
    return 0;
}
