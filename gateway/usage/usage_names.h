/*
 * UsageNames: numbers for what can be used: a method of a version of a service, or a field in its
 * requests. A number means the same as long as the process lives, over all configs.
 *
 * Any thread; a lock is held for a moment, and never while a call runs: calls know their number.
 */
#ifndef GATEWAY_USAGE_NAMES_H
#define GATEWAY_USAGE_NAMES_H

#include "base/bytes.h"

/* What is used. The texts live as long as the UsageNames that gave it, where it is one's. */
typedef struct UsageName {
    Bytes service, version;
    Bytes method; /* "shop.orders.v1.Orders/Get" */
    Bytes field;  /* "Order.comment"; "mask:Order.comment": named in a mask; empty: the method */
} UsageName;

typedef struct UsageNames UsageNames;

UsageNames *usage_names_new(void);
void usage_names_free(UsageNames *names);

/* The number, from 1 on; a new one if there is none. The texts are copied. */
uint32_t usage_names_number(UsageNames *names, const UsageName *name);

/* `number` is one that was given. */
UsageName usage_names_get(UsageNames *names, uint32_t number);

#endif
