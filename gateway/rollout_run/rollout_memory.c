#include "gateway/rollout_run/rollout_memory.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/json_text.h"

/* ---- Writing --------------------------------------------------------------------------------- */

static void add_member(const RolloutRoster *roster, uint32_t i, Buffer *out)
{
    json_text_add_element(out);
    buffer_add_byte(out, '[');
    json_text_add(out, roster->clients[i]);
    buffer_printf(out, ",%lld,%lld]", (long long)roster->numbers[i], (long long)roster->at[i]);
}

void rollout_memory_begin(Buffer *out)
{
    buffer_add_text(out, "{\"rollouts\":[");
}

void rollout_memory_add(const RolloutDefinition *definition, const RolloutMemory *memory,
                        const RolloutRoster *roster, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutRow row = rollout_record_row(definition, &memory->record, arena);
    json_text_open_item(out);
    json_text_add_member(out, "name", bytes_of(definition->name));
    json_text_add_number(out, "revision", (uint64_t)row.revision);
    json_text_add_number(out, "trial", (uint64_t)row.trial);
    json_text_add_number(out, "begun", (uint64_t)memory->begun);
    json_text_add_number(out, "settled", (uint64_t)roster->settled);
    json_text_add_key(out, "content");
    buffer_add_byte(out, '"');
    for (size_t i = 0; i < row.content.size; i++)
        buffer_printf(out, "%02x", row.content.data[i]);
    buffer_add_byte(out, '"');
    json_text_open_list(out, "members");
    for (uint32_t i = 0; i < roster->n; i++)
        add_member(roster, i, out);
    buffer_add_text(out, "]}");
    arena_free(arena);
}

void rollout_memory_end(Buffer *out)
{
    buffer_add_text(out, "]}");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_number(const JsonNode *value, int64_t *number_out)
{
    uint64_t number;
    if (!value || value->kind != JSON_NUMBER || !bytes_to_u64(value->text, &number) ||
        number > INT64_MAX)
        return false;
    *number_out = (int64_t)number;
    return true;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static Bytes bytes_of_hex(Bytes hex, Arena *arena)
{
    uint8_t *out = arena_array(arena, uint8_t, hex.size / 2 + 1);
    for (size_t i = 0; i < hex.size / 2; i++)
        out[i] = (uint8_t)(digit(hex.data[2 * i]) << 4 | digit(hex.data[2 * i + 1]));
    return bytes(out, hex.size / 2);
}

static bool read_memory(const JsonNode *node, Arena *arena, RolloutMemory *memory_out,
                        int64_t *settled_out)
{
    RolloutRow row = {.content = bytes_of_hex(json_member_text(node, "content"), arena)};
    return read_number(json_member(node, "revision"), &row.revision) &&
           read_number(json_member(node, "trial"), &row.trial) &&
           read_number(json_member(node, "begun"), &memory_out->begun) &&
           read_number(json_member(node, "settled"), settled_out) &&
           rollout_record_read(&row, &memory_out->record);
}

/* Members whom one cannot read are read from the store. */
static void read_members(const JsonNode *members, RolloutRoster *roster)
{
    for (const JsonNode *node = members ? members->first : NULL; node; node = node->next) {
        int64_t number, at;
        if (node->kind == JSON_ARRAY && node->count == 3 && node->first->kind == JSON_STRING &&
            read_number(node->first->next, &number) && number > roster->last &&
            read_number(node->first->next->next, &at))
            rollout_roster_add(roster, node->first->text, number, at);
    }
}

bool rollout_memory_read(Bytes text, const char *name, RolloutMemory *memory_out,
                         RolloutRoster *roster_out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JsonNode *root;
    Result r = json_parse(arena, text, &(JsonLimits){.elements = 100000000}, &root);
    error_ignore(r, "the store says it, too");
    const JsonNode *all = failed(r) ? NULL : json_member(root, "rollouts");
    const JsonNode *node = all ? all->first : NULL;
    while (node && !bytes_are(json_member_text(node, "name"), name))
        node = node->next;
    int64_t settled = 0;
    bool read = node && read_memory(node, arena, memory_out, &settled);
    if (read) {
        read_members(json_member(node, "members"), roster_out);
        roster_out->settled = settled;
    }
    arena_free(arena);
    return read;
}
