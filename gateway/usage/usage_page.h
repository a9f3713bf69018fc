/* UsagePage: who uses what, and which versions retire, as JSON: docs/seeing.md. */
#ifndef GATEWAY_USAGE_PAGE_H
#define GATEWAY_USAGE_PAGE_H

#include "gateway/usage/retirements.h"
#include "gateway/usage/usage_find.h"

typedef struct UsagePage {
    const UsageQuestion *question;
    const UsageFound *found;
    const Retirements *retirements;
    bool all_gateways;   /* it is the sum of all that share the store */
    bool fields_counted; /* those of requests, of a service that was asked for */
    int64_t wall;
    int64_t keep; /* nanoseconds */
} UsagePage;

void usage_page_write(const UsagePage *page, Buffer *out);

#endif
