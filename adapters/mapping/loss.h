/*
 * LossReport: what becomes of each field on one way through a chain, told before any call is made.
 *
 * Made from a Mapping alone, so it says what the plan will do: kept, converted, defaulted, narrowed
 * or dropped; loud where that is an error instead. `check` and `explain` print it; the same Loss
 * records are counted when it happens. Lives in the arena that it was made in.
 */
#ifndef ADAPTERS_LOSS_H
#define ADAPTERS_LOSS_H

#include "adapters/mapping/mapping.h"

typedef struct LossReport {
    const Loss *lines; /* message by message; in each the target's fields, then what is dropped */
    uint32_t n_lines;
    uint32_t counts[LOSS_DROPPED + 1]; /* by LossKind; loud ones are not in here */
    uint32_t n_loud;
    Arena *arena;
    uint32_t capacity;
} LossReport;

/* Of one message and all that are inside it. `set` is what the mapping is of: types that may be met
   inside an Any. */
void loss_report(Arena *arena, const MappingSet *set, const Mapping *mapping,
                 LossReport *report_out);

/* How many fields of a message and of all that are inside it may lose something, and how many may
   be an error: what a report would say, without its text. */
typedef struct LossCounts {
    uint32_t n_lossy, n_loud;
    bool any; /* an Any may be in it, whose content is not counted */
} LossCounts;

/* Remembers what it has looked at, for many messages that share most of what is inside them. In its
   arena, which has no limit; of mappings that live as long; one thread. */
typedef struct LossCounter LossCounter;

LossCounter *loss_counter_new(Arena *arena);
LossCounts loss_count(LossCounter *counter, const Mapping *mapping);

/* Of all messages of one direction. */
void loss_report_all(Arena *arena, const MappingSet *set, LossReport *report_out);

/* One line each: "  narrowed  Order.count -> Order.count: number, out of range is an error (loud)".
   What is kept is only told when `all` is set. */
void loss_report_text(const LossReport *report, bool all, Buffer *out);

/* {"kept": 12, ..., "fields": [{"what": "dropped", "from": ..., "to": ..., "how": ..., "loud":
   ...}]} */
void loss_report_json(const LossReport *report, Buffer *out);

const char *loss_kind_name(LossKind kind); /* "kept" */

/* Nothing dropped, defaulted, narrowed or loud: what negotiation prefers. */
bool loss_report_is_clean(const LossReport *report);

#endif
