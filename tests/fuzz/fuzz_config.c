/* Any bytes as a config: a Config, or problems; never neither. Patterns of files are left out:
   whole disks could be looked through for them. fuzz_config_tree has what becomes of included
   files. */
#include "gateway/service/config_load.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memmem(data, size, "include", 7) && memchr(data, '*', size))
        return 0;
    Arena *arena = arena_new(ARENA_UNLIMITED), *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    Result r =
        config_load_text(bytes(data, size), "fuzz.yaml", NULL, config_arena, &problems, &config);
    CHECK(!failed(r)); /* whatever the text says is not the gateway's fault */
    CHECK(config ? problems.n == 0 : problems.n > 0);
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    Buffer out = buffer_in(arena);
    problems_print(&problems, &out);
    arena_free(arena);
    return 0;
}
