/*
 * The kind of a failure as it is looked at for what is new: without versions, for a release would
 * make all kinds new. Plain functions.
 */
#ifndef GATEWAY_SIGNAL_KIND_H
#define GATEWAY_SIGNAL_KIND_H

#include "gateway/tally/failure_table.h"

enum { SIGNAL_METHOD_SIZE = FAILURE_TEXT_SIZE + 1 };

/* "shop.orders.v1.Orders/Get" becomes "shop.orders.Orders/Get". Gives its size; there is a NUL
   behind it. */
size_t signal_method_write(Bytes method, char out[SIGNAL_METHOD_SIZE]);

/* The same in all gateways. */
uint64_t signal_kind(const FailureKey *key);

#endif
