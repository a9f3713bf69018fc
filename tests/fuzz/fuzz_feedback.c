/* What customers say, as JSON lines: whatever they are, an entry that is read has bounded, valid
   texts, and what is shown of records is JSON. */
#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/utf8.h"
#include "gateway/feedback/feedback_context.h"
#include "gateway/feedback/feedback_entry.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t kind_of(void *owner, const FeedbackCall *call)
{
    (void)owner;
    return bytes_hash(call->request);
}

static void check_entry(const FeedbackEntry *entry)
{
    CHECK(strspn(entry->id, "0123456789abcdef") == FEEDBACK_ID_SIZE - 1);
    CHECK(entry->words.size > 0 && entry->words.size <= 64);
    CHECK(entry->client.size || entry->request.size);
    CHECK(entry->client.size <= FEEDBACK_NAME_SIZE && entry->source.size <= FEEDBACK_NAME_SIZE);
    CHECK(utf8_valid(entry->words) && utf8_valid(entry->client) && utf8_valid(entry->source));
}

static void check_context(Arena *arena, Bytes text)
{
    FeedbackContext context;
    JsonNode *root;
    feedback_context_make(text, 1000, INT64_MAX / 4, kind_of, NULL, arena, &context);
    CHECK(context.n_kinds <= FEEDBACK_KINDS);
    if (!context.shown.size)
        return;
    Result r = json_parse(arena, context.shown, &(JsonLimits){.elements = 1000000}, &root);
    CHECK(!failed(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackRules rules = {.size = 64, .wall = INT64_C(1796119200000000000)};
    FeedbackEntry *entries;
    uint32_t n = 0;
    Result r = feedback_entries_read(arena, bytes(data, size), &rules, &entries, &n);
    error_ignore(r, "it is no entry");
    for (uint32_t i = 0; !failed(r) && i < n; i++)
        check_entry(&entries[i]);
    check_context(arena, bytes(data, size));
    arena_free(arena);
    return 0;
}
