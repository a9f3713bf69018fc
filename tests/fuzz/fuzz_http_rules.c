/* Any bytes as the service YAML of a version: rules that are served, or problems with their
   place. */
#include "base/arena.h"
#include "gateway/service/config_load.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const Bytes library_set; /* tests/unit/gateway/schemas/library.proto */

/* A file that is in memory only. */
static int file_of(Bytes content)
{
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    CHECK(file >= 0 && write(file, content.data, content.size) == (ssize_t)content.size);
    return file;
}

static void check_rules(const Config *config)
{
    const Version *version = &config->services[0].versions[0];
    for (uint32_t i = 0; i < version->n_methods; i++)
        for (uint32_t k = 0; k < version->methods[i].n_bindings; k++) {
            const HttpRule *rule = version->methods[i].bindings[k].rule;
            CHECK(rule->verb[0] && rule->path[0] == '/');
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED), *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    int schema = file_of(library_set), rules = file_of(bytes(data, size));
    const char *text =
        arena_printf(arena,
                     "listen: [\"127.0.0.1:1\"]\n"
                     "services:\n"
                     "  - name: library\n"
                     "    versions: [{name: v1, package: test.library, schema: /proc/self/fd/%d,\n"
                     "                http_rules: /proc/self/fd/%d}]\n"
                     "    instances: [\"127.0.0.1:2\"]\n",
                     schema, rules);
    Result r =
        config_load_text(bytes_of(text), "fuzz.yaml", NULL, config_arena, &problems, &config);
    CHECK(!failed(r)); /* whatever the file says is not the gateway's fault */
    CHECK(config ? problems.n == 0 : problems.n > 0);
    if (config)
        check_rules(config);
    for (size_t i = 0; i < problems.n; i++)
        CHECK(problems.items[i].file && problems.items[i].reason[0]);
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    close(schema);
    close(rules);
    arena_free(arena);
    return 0;
}
