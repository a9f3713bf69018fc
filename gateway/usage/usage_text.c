#include "gateway/usage/usage_text.h"

#include "base/text/percent.h"

/* ---- Writing --------------------------------------------------------------------------------- */

typedef struct Writing {
    UsageNames *names;
    UsageTable *rest; /* rows that do not fit; its memory is 0, so that they are shared */
    size_t most;
    Buffer *out;
} Writing;

static void add_text(Buffer *out, Bytes text)
{
    percent_encode(out, text, PERCENT_KEEP_UNRESERVED);
    buffer_add_byte(out, '\t');
}

static void write_row(const Writing *writing, const UsageCount *row)
{
    Buffer *out = writing->out;
    UsageName name = usage_names_get(writing->names, row->use);
    add_text(out, name.service);
    add_text(out, name.version);
    add_text(out, name.method);
    add_text(out, name.field);
    buffer_printf(out, "%u\t%u\t%llu\t%llu\t", row->shared, row->period,
                  (unsigned long long)row->calls, (unsigned long long)(row->last / SECOND));
    percent_encode(out, row->client, PERCENT_KEEP_UNRESERVED);
    buffer_add_byte(out, '\n');
}

static void see_row(void *owner, const UsageCount *row)
{
    const Writing *writing = owner;
    if (writing->out->size < writing->most)
        write_row(writing, row);
    else
        usage_table_add(writing->rest, row);
}

static void see_rest(void *owner, const UsageCount *row)
{
    write_row(owner, row);
}

void usage_text_write(UsageTable *table, UsageNames *names, size_t most, Buffer *out)
{
    Writing writing = {
        .names = names, .rest = usage_table_new(0), .most = out->size + most, .out = out};
    for (uint32_t i = 0; i < USAGE_SHARDS; i++)
        usage_table_each(table, i, see_row, &writing);
    for (uint32_t i = 0; i < USAGE_SHARDS; i++)
        usage_table_each(writing.rest, i, see_rest, &writing);
    usage_table_free(writing.rest);
}

/* Of a row, so that no sum overflows. */
#define CALLS_MOST (UINT64_C(1) << 48)

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_text(Bytes *line, Arena *arena, Bytes *text_out)
{
    Buffer text = buffer_in(arena);
    Bytes part;
    if (!bytes_split(line, '\t', &part) || !percent_decode(&text, part, PERCENT_LEAVE_NOTHING))
        return false;
    *text_out = buffer_bytes(&text);
    return true;
}

static bool read_number(Bytes *line, uint64_t most, uint64_t *number_out)
{
    Bytes part;
    return bytes_split(line, '\t', &part) && bytes_to_u64(part, number_out) && *number_out <= most;
}

static bool read_name(Bytes *line, Arena *arena, UsageName *name)
{
    return read_text(line, arena, &name->service) && read_text(line, arena, &name->version) &&
           read_text(line, arena, &name->method) && read_text(line, arena, &name->field) &&
           name->service.size && name->version.size && name->method.size;
}

static bool read_row(UsageTable *table, UsageNames *names, Bytes line, Arena *arena)
{
    UsageName name;
    UsageCount row = {0};
    uint64_t shared, period, last;
    Buffer client = buffer_in(arena);
    if (!read_name(&line, arena, &name) || !read_number(&line, USAGE_SHARED, &shared) ||
        !read_number(&line, UINT16_MAX, &period) || !read_number(&line, CALLS_MOST, &row.calls) ||
        !read_number(&line, UINT32_MAX, &last) ||
        !percent_decode(&client, line, PERCENT_LEAVE_NOTHING))
        return false;
    row.use = usage_names_number(names, &name);
    row.shared = (uint32_t)shared;
    row.period = (uint32_t)period;
    row.last = (int64_t)last * SECOND;
    row.client = buffer_bytes(&client);
    usage_table_add(table, &row);
    return true;
}

uint32_t usage_text_read(UsageTable *table, UsageNames *names, Bytes text)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    uint32_t n = 0;
    for (Bytes line; bytes_split(&text, '\n', &line); arena_reset(arena))
        n += read_row(table, names, line, arena);
    arena_free(arena);
    return n;
}
