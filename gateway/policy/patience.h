/*
 * Patience: whether an instance had the time that a call needs, when a deadline passes that the
 * client has chosen. Else the deadline says something of the client only.
 *
 * Pure; times are nanoseconds.
 */
#ifndef GATEWAY_PATIENCE_H
#define GATEWAY_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PATIENCE_TIMES = 2, /* as long as good responses of the method usually take is enough, */
    PATIENCE_PART = 2,  /* and so is this part, a half, of what the config allows */
};

typedef struct Patience {
    int64_t given;   /* from the request to the deadline */
    int64_t allowed; /* the timeout by the config; NO_TIMEOUT: none */
    int64_t usual;   /* 0: no good response was seen yet */
} Patience;

bool patience_is_enough(const Patience *patience);

/* What is usual after one more good response, which took `time`. A longer one counts by a quarter,
   a shorter one by a sixteenth, so that it is rather one of the longer times. Failures must not be
   told: an instance that hangs would make hanging usual. */
static inline int64_t patience_usual(int64_t usual, int64_t time)
{
    int64_t more = time - usual;
    return usual ? usual + more / (more > 0 ? 4 : 16) : time;
}

#endif
