/*
 * LogReadable: a line of the log for people, as `passerelle tail` shows it.
 *
 *   10:33:00.123 OK 3.456ms acme GET /v1/orders/7 shop.orders.v1.Orders/Get v1>v3 10.0.0.7:7001
 *   10:33:00.124 ERROR UNAVAILABLE 2.1ms acme POST /shop... UPSTREAM_DOWN: connecting: refused
 *   10:33:00.125 WARNING upstream_down: no connection to 10.0.0.7:7001
 *
 * What clients and services have sent has no control characters in it. Pure; any thread.
 */
#ifndef GATEWAY_LOG_READABLE_H
#define GATEWAY_LOG_READABLE_H

#include "gateway/log_output/log_view.h"

/* Adds it without an end of line; with colours for a terminal. */
void log_readable_write(const LogView *view, bool colours, Buffer *out);

#endif
