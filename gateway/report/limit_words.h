/* LimitWords: a limit of the config in a line, and as a JSON object: for `check` and `explain`. */
#ifndef GATEWAY_LIMIT_WORDS_H
#define GATEWAY_LIMIT_WORDS_H

#include "gateway/config/config.h"

/* "client: 100 calls per second, 200 at once, of each client; only class free", without an end of
   line. `costs`: calls may cost more than others. `versions`: also of which versions; else they are
   settled. */
void limit_words_add(const RateLimit *limit, bool costs, bool versions, Buffer *out);

void limit_words_add_json(const RateLimit *limit, bool costs, Buffer *out);

#endif
