/* Any bytes as a text with variables, and as what a variable has: that never leads to more
   variables, and a text without references stays as it is. */
#include "adapters/text/variables.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every other name has the text itself. */
static const char *find(void *owner, const char *name)
{
    return strlen(name) % 2 ? owner : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes text = bytes(data, size);
    Buffer out = buffer_in(arena), names = buffer_in(arena);
    VariableMistake mistake = {NULL, NULL};
    char *value = (char *)(uintptr_t)arena_text(arena, text);
    bool good = variables_expand(arena, text, find, value, &out, &names, &mistake);
    CHECK(good || mistake.reason);
    if (!variables_are_in(text))
        CHECK(good && bytes_equal(buffer_bytes(&out), text) && names.size == 0);
    arena_free(arena);
    return 0;
}
