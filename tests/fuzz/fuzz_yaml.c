/* Any bytes as YAML: a tree within its limits, with aliases, whose every node has a place; or
   problems. */
#include "adapters/text/yaml.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NODES_MOST = 10000 };

static uint32_t n_walked;

static void walk(const YamlDocument *document, const JsonNode *node, uint32_t depth)
{
    uint32_t n = 0;
    CHECK(++n_walked <= NODES_MOST);
    CHECK(depth <= 16);
    CHECK(yaml_place(document, node)->line > 0 && yaml_place(document, node)->column > 0);
    for (const JsonNode *child = node->first; child; child = child->next, n++)
        walk(document, child, depth + 1);
    CHECK(n == node->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    YamlDocument document;
    JsonLimits limits = {.depth = 16, .elements = NODES_MOST};
    n_walked = 0;
    yaml_parse(arena, bytes(data, size), "fuzz.yaml", &limits, &problems, &document);
    if (document.root)
        walk(&document, document.root, 0);
    else
        CHECK(problems.n > 0);
    arena_free(arena);
    return 0;
}
