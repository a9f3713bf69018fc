/* UsageWarnings: sunsets that would hit clients which have called lately, for `check`. */
#ifndef GATEWAY_USAGE_WARNINGS_H
#define GATEWAY_USAGE_WARNINGS_H

#include "base/problem.h"
#include "gateway/config/config.h"

/* Tells each version that has a sunset, and no `retire`, and was called within a week before
   `wall`, as the store of the config has it. Nothing is told if there is none, or it cannot be
   read. Blocks for as long as the store may take. */
void usage_warnings(const Config *config, int64_t wall, Problems *warnings);

#endif
