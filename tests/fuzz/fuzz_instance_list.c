/* Any bytes as a list of instances: a list, or why there is none; and read again with what it had,
   the same instances. */
#include "gateway/inventory/instance_list.h"

#include "base/arena.h"

#include <openssl/ssl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Version versions[] = {{.name = "v1"}, {.name = "v2", .index = 1}};

static void free_contexts(const InstanceList *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        SSL_CTX_free(list->items[i]->tls);
}

static void read_again(Arena *arena, const Service *service, Bytes text, const InstanceList *list)
{
    Problems problems = problems_in(arena);
    Table had = table_in(arena);
    InstanceList again;
    for (uint32_t i = 0; i < list->n; i++)
        table_put(&had, list->items[i]->said, list->items[i]);
    ListDocument document = {.name = "fuzz.yaml", .base = "fuzz.yaml", .text = text};
    Result r = config_list_read(arena, service, &document, 1, &had, &problems, &again);
    CHECK(!failed(r) && again.n == list->n && again.n_refused == list->n_refused);
    for (uint32_t i = 0; i < list->n; i++)
        CHECK(again.items[i] == list->items[i]);
}

static void read(Bytes text, uint32_t n_versions)
{
    Service service = {
        .name = "s",
        .versions = versions,
        .n_versions = n_versions,
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    InstanceList list;
    ListDocument document = {.name = "fuzz.yaml", .base = "fuzz.yaml", .text = text};
    Result r = config_list_read(arena, &service, &document, 1, NULL, &problems, &list);
    if (failed(r)) {
        CHECK(r.error->fault == &FAULT_BAD_CONFIG && list.n == 0 && problems.n > 0);
    } else {
        CHECK((list.n_refused > 0) == (problems.n > 0));
        for (uint32_t i = 0; i < list.n; i++)
            CHECK(list.items[i]->address.text && list.items[i]->service == &service &&
                  (list.items[i]->versions != 0) == (n_versions > 0));
        read_again(arena, &service, text, &list);
        free_contexts(&list);
    }
    arena_free(arena);
}

/* A text that is one entry is refused or taken, and is never a list that cannot be read. */
static void read_entry(Bytes text)
{
    Service service = {.name = "s", .versions = versions, .n_versions = 2};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    ListDocument document = {.name = "key", .base = "fuzz.yaml", .text = text, .is_entry = true};
    InstanceList list;
    Result r = config_list_read(arena, &service, &document, 1, NULL, &problems, &list);
    CHECK(!failed(r) && list.n + list.n_refused == 1 && (list.n == 1) == (problems.n == 0));
    free_contexts(&list);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_entry(bytes(data, size));
    read(bytes(data, size), 2);
    read(bytes(data, size), 0);
    return 0;
}
