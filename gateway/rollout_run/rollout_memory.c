/*
 * What a process hands to the next one: the rollouts as it knows them, with their members. So the
 * next one has the right clients on the candidate before the store has answered.
 *
 *      {"rollouts": [{"name", "revision", "trial", "content": hex, "members": [["ada", 1], ...]}]}
 */
#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/rollout_run/rollout_runner_internal.h"

/* ---- Writing ------------------------------------------------------------------------------------
 */

static void add_member(const RolloutRoster *roster, uint32_t i, Buffer *out)
{
    json_text_add_element(out);
    buffer_add_byte(out, '[');
    json_text_add(out, roster->clients[i]);
    buffer_printf(out, ",%lld]", (long long)roster->numbers[i]);
}

static void add_rollout(const HeldRollout *held, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutRow row = rollout_record_row(held->definition, &held->record, arena);
    json_text_add_element(out);
    buffer_add_byte(out, '{');
    json_text_add_member(out, "name", bytes_of(held->name));
    json_text_add_number(out, "revision", (uint64_t)row.revision);
    json_text_add_number(out, "trial", (uint64_t)row.trial);
    json_text_add_key(out, "content");
    buffer_add_byte(out, '"');
    for (size_t i = 0; i < row.content.size; i++)
        buffer_printf(out, "%02x", row.content.data[i]);
    buffer_add_byte(out, '"');
    json_text_add_key(out, "members");
    buffer_add_byte(out, '[');
    for (uint32_t i = 0; i < held->roster.n; i++)
        add_member(&held->roster, i, out);
    buffer_add_text(out, "]}");
    arena_free(arena);
}

void rollout_memory_write(void *owner, Buffer *out)
{
    const RolloutRunner *runner = owner;
    bool any = false;
    for (const HeldRollout *held = runner->held; held; held = held->next)
        any |= held->known;
    if (!any)
        return;
    buffer_add_text(out, "{\"rollouts\":[");
    for (const HeldRollout *held = runner->held; held; held = held->next)
        if (held->known)
            add_rollout(held, out);
    buffer_add_text(out, "]}");
}

/* ---- Reading ------------------------------------------------------------------------------------
 */

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

static bool read_row(const JsonNode *node, Arena *arena, RolloutRecord *record_out)
{
    RolloutRow row = {.content = bytes_of_hex(json_member_text(node, "content"), arena)};
    return read_number(json_member(node, "revision"), &row.revision) &&
           read_number(json_member(node, "trial"), &row.trial) &&
           rollout_record_read(&row, record_out);
}

static void read_members(const JsonNode *members, RolloutRoster *roster)
{
    for (const JsonNode *node = members ? members->first : NULL; node; node = node->next) {
        int64_t number;
        if (node->kind == JSON_ARRAY && node->count == 2 && node->first->kind == JSON_STRING &&
            read_number(node->first->next, &number) && number > roster->last)
            rollout_roster_add(roster, node->first->text, number, 0);
    }
}

void rollout_memory_read(Bytes blob, HeldRollout *held)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JsonNode *root;
    Result r = json_parse(arena, blob, &(JsonLimits){.elements = 100000000}, &root);
    error_ignore(r, "the store says it, too");
    const JsonNode *all = failed(r) ? NULL : json_member(root, "rollouts");
    for (const JsonNode *node = all ? all->first : NULL; node; node = node->next) {
        RolloutRecord record;
        if (!bytes_are(json_member_text(node, "name"), held->name) ||
            !read_row(node, arena, &record))
            continue;
        held_adopt(held, &record);
        if (held_is_live(held))
            read_members(json_member(node, "members"), &held->roster);
        held->complete = true;
    }
    arena_free(arena);
}
