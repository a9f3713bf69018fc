/*
 * LogConfig: where the log goes, and which calls are in it: what the config says under `log`.
 * Immutable; it lives as long as the Config.
 */
#ifndef GATEWAY_LOG_CONFIG_H
#define GATEWAY_LOG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum LogTo { LOG_TO_FILE, LOG_TO_SYSLOG, LOG_TO_JOURNAL } LogTo;
typedef enum LogTransport { LOG_BY_UNIX, LOG_BY_UDP, LOG_BY_TCP } LogTransport;
typedef enum LogLines { LOG_ALL_LINES, LOG_CALLS, LOG_EVENTS } LogLines;

enum { LOG_OUTPUTS_MOST = 4 };

typedef struct LogOutputConfig {
    const char *name; /* for metrics, as it is in the config: "calls.log", "syslog" */
    LogTo to;
    const char *path;       /* of a file ("-": stdout) or a unix socket; NULL: */
    LogTransport transport; /* not of a file */
    const char *host;       /* an IP address; NULL: it has a path */
    uint16_t port;
    const char *format; /* a template; NULL: JSON; of the journal, a line for people */
    bool readable;      /* a line for people, in place of JSON */
    LogLines lines;
    uint8_t facility; /* of syslog */
    uint32_t most;    /* bytes of a message of syslog */
} LogOutputConfig;

typedef struct LogConfig {
    const LogOutputConfig *outputs;
    uint32_t n_outputs;
    bool samples;              /* not all calls that went well are in it, but */
    double share;              /* so many of them, from 0 to 1; and all that take */
    int64_t slow;              /* so many nanoseconds */
    bool head;                 /* lines of calls have user_agent, referer and protocol */
    const char *const *redact; /* what is never shown: ends with NULL; NULL: nothing */
} LogConfig;

#endif
