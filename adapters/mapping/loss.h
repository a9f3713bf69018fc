/*
 * LossReport: the result of a conversion for each field, in one direction of a chain, without
 * running it.
 *
 * Computed from a Mapping alone, so it describes what the plan will do: kept, converted, defaulted,
 * narrowed or dropped; loud where that is an error instead. `check` and `explain` print it; the
 * same Loss records are counted when it happens. Lives in the arena that it was made in.
 */
#ifndef ADAPTERS_LOSS_H
#define ADAPTERS_LOSS_H

#include "adapters/mapping/mapping.h"

typedef struct LossReport {
    const Loss *lines; /* message by message; in each the target's fields, then dropped ones */
    uint32_t n_lines;
    uint32_t counts[LOSS_DROPPED + 1]; /* by LossKind; without loud ones */
    uint32_t n_loud;
    Arena *arena;
    uint32_t capacity;
} LossReport;

/* For one message and all messages in it. `set` is the set of the mapping: the types that may occur
   inside an Any. */
void loss_report(Arena *arena, const MappingSet *set, const Mapping *mapping,
                 LossReport *report_out);

/* The number of fields of a message and of all messages in it that may have a loss, and that may be
   an error: as in a report, without its text. */
typedef struct LossCounts {
    uint32_t n_lossy, n_loud;
    bool any; /* an Any may be in it, whose content is not counted */
} LossCounts;

/* Caches results, for many messages that share most of their sub-messages. Lives in its arena,
   which has no limit, and for mappings that live as long; one thread. */
typedef struct LossCounter LossCounter;

LossCounter *loss_counter_new(Arena *arena);
LossCounts loss_count(LossCounter *counter, const Mapping *mapping);

/* Of all messages of one direction. */
void loss_report_all(Arena *arena, const MappingSet *set, LossReport *report_out);

/* One line each: " narrowed Order.count -> Order.count: number, out of range is an error (loud)".
   Kept fields are only included if `all` is set. */
void loss_report_text(const LossReport *report, bool all, Buffer *out);

/* {"kept": 12, ..., "fields": [{"what": "dropped", "from": ..., "to": ..., "how": ..., "loud":
   ...}]} */
void loss_report_json(const LossReport *report, Buffer *out);

const char *loss_kind_name(LossKind kind); /* "kept" */

/* Nothing is dropped, defaulted, narrowed or loud. */
bool loss_report_is_clean(const LossReport *report);

#endif
