#include "gateway/ledger/ledger_rows.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/ledger/failure_text.h"
#include "gateway/tally/criticality.h"

static void write_table(const Tally *all, const FailureTable *table, int64_t process,
                        const char *const *redact, Buffer *out)
{
    for (uint32_t i = 0; i < table->n; i++) {
        const FailureRow *row = table->rows[i];
        FailureMethod method =
            criticality_keep(row, tally_use(all, row->series), process, clock_wall());
        failure_text_write(row, &method, redact, out);
        buffer_add_byte(out, '\n');
    }
}

void ledger_rows_write(const Tally *all, int64_t process, const char *const *redact, Buffer *out)
{
    write_table(all, &all->failures, process, redact, out);
    write_table(all, &all->mistakes, process, redact, out);
}

static bool read_row(Tally *all, const Config *config, Bytes line)
{
    FailureRow *row = NULL;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    bool read = !failed(failure_text_read(arena, line, &row));
    if (read) {
        row->series = tally_series(config, &row->key);
        row->changed = false;
        failure_table_merge(row->key.side == SIDE_CLIENT ? &all->mistakes : &all->failures, row);
        failure_row_free(row);
    }
    arena_free(arena);
    return read;
}

uint32_t ledger_rows_read(Tally *all, const Config *config, Bytes text)
{
    uint32_t n = 0;
    for (Bytes line; bytes_split(&text, '\n', &line);)
        n += read_row(all, config, line);
    return n;
}

static uint64_t count_table(const FailureTable *table)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < table->n; i++)
        n += table->rows[i]->count;
    return n;
}

uint64_t ledger_rows_count(const Tally *all)
{
    return count_table(&all->failures) + count_table(&all->mistakes);
}
