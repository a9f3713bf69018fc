/*
 * LogSource: takes the lines of the log where its writer has them, and gathers them for an
 * exporter.
 *
 *      writer of the log --lines--> [LogSource] --records--> exporter
 *
 * The writer only copies, and never waits: what would be more than `otlp.queue` is dropped, and
 * counted. Lines become records on the exporter's thread.
 */
#ifndef GATEWAY_LOG_SOURCE_H
#define GATEWAY_LOG_SOURCE_H

#include "gateway/otlp/otlp_exporter.h"

typedef struct LogSource LogSource;

/* Never NULL. Main thread, as the next two. */
LogSource *log_source_new(OtlpExporter *exporter);

/* Takes lines from now on, or no longer; after otlp_exporter_use of the same config. No longer:
   lines from before have come. */
void log_source_use(LogSource *source, const Config *config);

/* After the exporter has ended. */
void log_source_free(LogSource *source);

/* An OtlpGather; `source` is one. */
void log_source_gather(void *source, OtlpExporter *exporter, const Config *config);

#endif
