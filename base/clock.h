/* Clock: the two kinds of time. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define MICROSECOND INT64_C(1000)
#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)

/* Nanoseconds that never go back, from an unknown start. */
int64_t clock_now(void);

/* Nanoseconds for which the calling thread has run. */
int64_t clock_thread(void);

/* Nanoseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall(void);

#endif
