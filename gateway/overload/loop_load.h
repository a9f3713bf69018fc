/*
 * LoopLoad: how busy one loop is, and which calls it refuses while it is overloaded.
 *
 *      turns of the loop, memory in use ----> Shedding (gateway/policy) ----> overload_admits
 *
 * The loop calls it at the end of each turn; whoever takes calls asks it once for each, if
 * loop->sheds is set, before anything is done for the call. Its beginning and end are events.
 * Belongs to its loop, its thread only; the metrics read what is atomic.
 */
#ifndef GATEWAY_LOOP_LOAD_H
#define GATEWAY_LOOP_LOAD_H

#include "gateway/loop/loop.h"
#include "gateway/policy/shedding.h"
#include "gateway/telemetry/exposition.h"

/* The loop has its config. Until loop_load_close it is measured. */
void loop_load_open(Loop *loop);

/* After the loop has ended. Does nothing for a loop that is not measured. */
void loop_load_close(Loop *loop);

/* While loop->sheds: whether a call of this impact is to be done. If not, it is counted. `service`
   may be NULL: no route is known. */
bool overload_admits(Loop *loop, Impact impact, const Service *service);

/* While loop->sheds. Whether no call of this impact was to be refused for a second. */
bool overload_spares(const Loop *loop, Impact impact);

/* While loop->sheds: a connection rests, although more may have arrived on it. */
void overload_leave_unread(Loop *loop);

/* Whether this refusal is one of the few in a second that get a line in the log and a record; the
   others only count. *since_out: how many did so since the last one. */
bool overload_is_recorded(Loop *loop, uint64_t *since_out);

/* Seconds after which a client that was refused may come back: not all at the same time. */
uint32_t overload_retry_after(Loop *loop);

/* JSON: how long turns of each loop took in the last minute (loop_lag.h). Any thread. */
void loop_lags_write(Buffer *out);

/* MetricsWriter: all loops. */
void loop_load_metrics_write(Exposition *e, void *unused);

#endif
