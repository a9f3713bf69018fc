/* Baggage: each line is a field of a request. What is passed on are whole members from the left,
   within the room there is; what is recorded is valid, and not empty. */
#include "base/arena.h"
#include "base/text/utf8.h"
#include "gateway/headers/baggage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t members_of(Bytes list)
{
    uint32_t n = 0;
    Bytes member;
    while (bytes_split(&list, ',', &member))
        n += bytes_trim(member).size > 0;
    return n;
}

/* The line's members at its start. */
static void check_start(Bytes line, Bytes kept)
{
    CHECK(kept.size <= line.size && memcmp(kept.data, line.data, kept.size) == 0);
    CHECK(kept.size == 0 || kept.size == line.size || line.data[kept.size] == ',');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "tenant"};
    const BaggageConfig config = {.record = names, .n_record = 2, .members = 4, .bytes = 64};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields fields = fields_in(arena);
    BaggageRoom room = {config.members, config.bytes};
    Bytes text = bytes(data, size), line;
    size_t n_bytes = 0, n_members = 0;
    while (bytes_split(&text, '\n', &line)) {
        if (!line.size)
            continue;
        Bytes kept = baggage_within(line, &room);
        check_start(line, kept);
        n_bytes += kept.size + (n_bytes > 0 && kept.size);
        n_members += members_of(kept);
        fields_add(&fields, bytes_of(BAGGAGE_FIELD), line);
        Bytes without = baggage_without(line, "a", arena);
        CHECK(without.data && without.size <= line.size);
    }
    CHECK(n_bytes <= config.bytes && n_members <= config.members);
    const BaggageNotes *notes = baggage_note(&fields, &config, arena);
    CHECK(!notes || (notes->n > 0 && notes->n <= 2));
    for (uint32_t i = 0; notes && i < notes->n; i++)
        CHECK(notes->items[i].value.size && utf8_valid(notes->items[i].value));
    arena_free(arena);
    return 0;
}
