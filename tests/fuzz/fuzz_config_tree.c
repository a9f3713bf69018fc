/* Any bytes as the texts of a config, between lines "---8<---", each included by the first or by
   the one before it: a tree whose every node has a place in one of them, or problems. */
#include "gateway/config/config_tree.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXTS_MOST = 8 };
#define BETWEEN "\n---8<---\n"

static void walk(const ConfigTree *tree, const ConfigText *texts, uint32_t n_texts,
                 const JsonNode *node)
{
    const YamlPlace *place = yaml_place(&tree->document, node);
    uint32_t n = 0, k = 0;
    while (k < n_texts && texts[k].file != place->file)
        k++;
    CHECK(k < n_texts && place->line > 0 && place->column > 0);
    const char *names = config_tree_variables(tree, node);
    CHECK(!names || *names);
    for (const JsonNode *child = node->first; child; child = child->next, n++)
        walk(tree, texts, n_texts, child);
    CHECK(n == node->count);
}

static uint32_t split(Bytes rest, ConfigText *texts)
{
    static const char *const names[TEXTS_MOST] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    uint32_t n = 0;
    while (n < TEXTS_MOST) {
        const uint8_t *end =
            rest.size ? memmem(rest.data, rest.size, BETWEEN, strlen(BETWEEN)) : NULL;
        size_t length = end && n + 1 < TEXTS_MOST ? (size_t)(end - rest.data) : rest.size;
        texts[n] = (ConfigText){.file = names[n], .text = bytes_slice(rest, 0, length)};
        if (n) {
            texts[n - 1].next = &texts[n];
            texts[n].by = n % 2 ? &texts[0] : &texts[n - 1];
        }
        n++;
        if (length == rest.size)
            break;
        rest = bytes_slice(rest, length + strlen(BETWEEN), rest.size);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ConfigText texts[TEXTS_MOST];
    uint32_t n = split(bytes(data, size), texts);
    Problems problems = problems_in(arena);
    ConfigTree tree;
    config_tree_again(arena, texts, &problems, &tree);
    if (tree.document.root)
        walk(&tree, texts, n, tree.document.root);
    else
        CHECK(problems.n > 0);
    Buffer out = buffer_in(arena);
    problems_print(&problems, &out);
    arena_free(arena);
    return 0;
}
