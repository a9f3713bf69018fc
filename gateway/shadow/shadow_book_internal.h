/* The inside of a ShadowBook, for shadow_book.c and shadow_page.c. */
#ifndef GATEWAY_SHADOW_BOOK_INTERNAL_H
#define GATEWAY_SHADOW_BOOK_INTERNAL_H

#include "gateway/shadow/shadow_book.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct ShadowGroup {
    struct ShadowGroup *next;
    const char *shape;
    uint64_t calls, places;
    int64_t first, last; /* wall time */
    /* The newest sample: */
    char path[SHADOW_TEXT_MOST], request_id[64], real[SHADOW_TEXT_MOST], shadow[SHADOW_TEXT_MOST];
} ShadowGroup;

typedef struct ShadowRow {
    struct ShadowRow *next;
    char *service, *method, *version, *target;
    uint64_t n[SHADOW_OUTCOMES];
    uint64_t others;         /* differences for whose groups there was no room */
    const char *last_reason; /* of what failed or could not be compared; NULL: nothing */
    int64_t last;
    ShadowGroup *groups;
} ShadowRow;

struct ShadowBook {
    pthread_mutex_t mutex; /* guards the rows */
    ShadowRow *rows;
    uint32_t n_rows, n_groups;
    atomic_ullong skipped[SHADOW_SKIPS];
    atomic_uint running;
};

const char *shadow_outcome_name(ShadowOutcome outcome);
const char *shadow_skip_name(ShadowSkip skip);

#endif
