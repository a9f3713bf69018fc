/* BaggageConfig: what requests may carry in the field `baggage`, and what of it is recorded. */
#ifndef GATEWAY_BAGGAGE_CONFIG_H
#define GATEWAY_BAGGAGE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct BaggageConfig {
    const char *const *record; /* names of members */
    uint32_t n_record;
    uint32_t members; /* the most that are passed on */
    size_t bytes;     /* likewise */
    bool strangers;   /* of clients that are no trusted proxies, too */
    bool withheld;    /* some service gets none */
} BaggageConfig;

#endif
