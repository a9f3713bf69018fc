/*
 * LogRecord: a line of the log in the wire format of OpenTelemetry's protocol.
 *
 *      {"time":"...","log":"event","level":"warning","event":"upstream_down","message":"...",...}
 *
 *      time       when it was; `observed` is when it is sent
 *      severity   INFO, WARN or ERROR
 *      event      passerelle.EVENT; of a call passerelle.call
 *      body       the message; of a call what was called, and its code
 *      trace      of a call that is recorded also its span
 *      attributes what else is in the line, nested as there, under the names of spans
 *
 * Pure; any thread.
 *
 * https://github.com/open-telemetry/opentelemetry-proto, opentelemetry/proto/logs/v1
 */
#ifndef GATEWAY_LOG_RECORD_H
#define GATEWAY_LOG_RECORD_H

#include "base/bytes.h"
#include "gateway/config/otlp_config.h"

typedef struct LogRecordForm {
    LogLevel least;
    const char *const *redact; /* what is never shown, as in LogConfig; NULL: nothing */
    int64_t observed;          /* wall, nanoseconds: now */
} LogRecordForm;

/* Appends a record. False, and nothing is appended: the line is below `least`, or it is none of the
   log. `scratch` is used for what is read. */
bool log_record_write(Bytes line, const LogRecordForm *form, Arena *scratch, Buffer *out);

#endif
