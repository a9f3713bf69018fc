/*
 * LogFilter: which lines a reader of /tail wants, as the query of its request says:
 * "service=orders&code=UNAVAILABLE&min_ms=100". What is not said lets everything pass. Pure; any
 * thread.
 */
#ifndef GATEWAY_LOG_FILTER_H
#define GATEWAY_LOG_FILTER_H

#include "base/result.h"
#include "gateway/log_output/log_view.h"

#define LOG_FILTERS(FILTER)                                                                        \
    FILTER(service)                                                                                \
    FILTER(method) /* "Orders/Get" is enough of "shop.orders.v1.Orders/Get" */                     \
    FILTER(client)                                                                                 \
    FILTER(code)                                                                                   \
    FILTER(fault)      /* anywhere in the chain of causes, or of an attempt; or degraded for it */ \
    FILTER(level)      /* at least: "warning" lets errors pass, too */                             \
    FILTER(log)        /* "call", "event" */                                                       \
    FILTER(path)       /* how it begins */                                                         \
    FILTER(min_ms)     /* of a call */                                                             \
    FILTER(instance)   /* also of an attempt that failed */                                        \
    FILTER(version)    /* the client's, or the one that was served */                              \
    FILTER(request_id) /* also of the trace */

typedef enum LogFilterKind {
#define FILTER(name) LOG_FILTER_##name,
    LOG_FILTERS(FILTER)
#undef FILTER
        LOG_FILTER_KINDS
} LogFilterKind;

typedef struct LogFilter {
    Bytes wanted[LOG_FILTER_KINDS]; /* data NULL: anything */
    double min_ms;
} LogFilter;

/* Reads a query; what it says is in the arena. Fault: BAD_VALUE, with what is wrong. */
MUST_USE Result log_filter_read(Bytes query, Arena *arena, LogFilter *filter_out);

bool log_filter_takes(const LogFilter *filter, const LogView *view);

#endif
