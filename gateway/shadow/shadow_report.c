#include "gateway/shadow/shadow_report.h"

#include "adapters/text/json.h"
#include "base/arena.h"

#include <stdlib.h>

static uint64_t number_of(const JsonNode *node, const char *name)
{
    uint64_t number = 0;
    return bytes_to_u64(json_member_text(node, name), &number) ? number : 0;
}

static Bytes text_or(const JsonNode *node, const char *name, const char *otherwise)
{
    Bytes text = json_member_text(node, name);
    return text.size ? text : bytes_of(otherwise);
}

/* ---- Differences ----------------------------------------------------------------------------- */

static int most_calls_first(const void *a, const void *b)
{
    uint64_t x = number_of(*(const JsonNode *const *)a, "calls"),
             y = number_of(*(const JsonNode *const *)b, "calls");
    return x > y ? -1 : x < y;
}

static const JsonNode **sorted(Arena *arena, const JsonNode *list)
{
    const JsonNode **all = arena_array(arena, const JsonNode *, list->count + 1);
    uint32_t n = 0;
    for (const JsonNode *each = list->first; each; each = each->next)
        all[n++] = each;
    qsort(all, n, sizeof *all, most_calls_first);
    return all;
}

static void add_sample(Buffer *out, const JsonNode *sample)
{
    Bytes real = json_member_text(sample, "real"), shadow = json_member_text(sample, "shadow");
    Bytes id = json_member_text(sample, "request_id");
    buffer_add_text(out, "      ");
    if (real.size || shadow.size)
        buffer_printf(out, "real %.*s, copy %.*s; ",
                      BYTES_ARGS(real.size ? real : bytes_of("absent")),
                      BYTES_ARGS(shadow.size ? shadow : bytes_of("absent")));
    buffer_printf(out, "request %.*s\n", BYTES_ARGS(id));
}

static void add_difference(Buffer *out, const JsonNode *difference)
{
    const JsonNode *sample = json_member(difference, "sample");
    Bytes path = json_member_text(difference, "path");
    Bytes shape = json_member_text(difference, "shape");
    buffer_printf(out, "  %8llu  %.*s%s%.*s\n", (unsigned long long)number_of(difference, "calls"),
                  BYTES_ARGS(path), path.size ? ": " : "", BYTES_ARGS(shape));
    if (sample)
        add_sample(out, sample);
}

static void add_differences(Buffer *out, const JsonNode *row, uint64_t limit)
{
    const JsonNode *list = json_member(row, "differences");
    if (!list)
        return;
    const JsonNode **all = sorted(out->arena, list);
    for (uint32_t i = 0; i < list->count && i < limit; i++)
        add_difference(out, all[i]);
    if (list->count > limit)
        buffer_printf(out, "  %llu more: --limit\n", (unsigned long long)(list->count - limit));
    if (number_of(row, "other_differences"))
        buffer_printf(out, "  %8llu  others, for which there was no room\n",
                      (unsigned long long)number_of(row, "other_differences"));
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void add_row(Buffer *out, const JsonNode *row, uint64_t limit)
{
    static const char *const counts[] = {"compared", "equal", "different", "unlike", "failed"};
    buffer_printf(out, "%s%.*s %.*s of %.*s, copied to %.*s\n ", out->size ? "\n" : "",
                  BYTES_ARGS(text_or(row, "service", "?")), BYTES_ARGS(text_or(row, "method", "?")),
                  BYTES_ARGS(text_or(row, "version", "?")), BYTES_ARGS(text_or(row, "to", "?")));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        buffer_printf(out, " %s %llu", counts[i], (unsigned long long)number_of(row, counts[i]));
    Bytes reason = json_member_text(row, "reason");
    if (reason.size)
        buffer_printf(out, "; not compared at last for: %.*s", BYTES_ARGS(reason));
    buffer_add_byte(out, '\n');
    add_differences(out, row, limit);
}

static void add_not_copied(Buffer *out, const JsonNode *reasons)
{
    bool first = true;
    for (const JsonNode *each = reasons ? reasons->first : NULL; each; each = each->next) {
        Bytes name = each->name;
        uint64_t n = number_of(reasons, arena_text(out->arena, name));
        if (!n)
            continue;
        buffer_printf(out, "%s%.*s %llu", first ? "\ndrawn and not copied, for: " : ", ",
                      BYTES_ARGS(name), (unsigned long long)n);
        first = false;
    }
    buffer_add_text(out, first ? "" : "\n");
}

bool shadow_report_write(Buffer *out, Bytes page, uint64_t limit)
{
    JsonNode *root;
    Result r = json_parse(out->arena, page, &(JsonLimits){.elements = 100000000}, &root);
    error_ignore(r, "the gateway's own page; told by the caller");
    const JsonNode *rows = failed(r) ? NULL : json_member(root, "shadows");
    if (!rows)
        return false;
    for (const JsonNode *row = rows->first; row; row = row->next)
        add_row(out, row, limit);
    if (!rows->first)
        buffer_add_text(out, "no copy of a call has ended yet\n");
    add_not_copied(out, json_member(root, "not_copied"));
    return true;
}
