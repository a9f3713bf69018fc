/*
 * LogOutputs: all outputs of the log, as the target of its writer.
 *
 *                                  +--> a file                 as it is, or in a form of its own
 *   writer thread --> lines -------+--> syslog                 one message for each line
 *                    (redacted)    +--> the journal            one entry for each line
 *                                  +--> readers of /tail       tail.h
 *
 * One JSON file without redaction, as long as nobody reads /tail, gets the bytes as they come. What
 * an output does not take is lost and counted for it; it holds up the others for half a second at
 * most, but for files. An event that no output is for goes to stderr.
 */
#ifndef GATEWAY_LOG_OUTPUTS_H
#define GATEWAY_LOG_OUTPUTS_H

#include "base/log.h"
#include "gateway/log_output/log_config.h"

/*
 * Opens the files; sockets connect with their first line. `config` is copied. `node`: the name of
 * this gateway, for syslog. Faults: NO_FILE; BAD_CONFIG (a template, or the address of a socket).
 */
MUST_USE Result log_outputs_open(Arena *arena, const LogConfig *config, const char *node,
                                 LogTarget **target_out);

/* Whether both mean the same, so that what is open can stay open. */
bool log_outputs_are_same(const LogConfig *a, const LogConfig *b);

/* Whether the files can be opened now; opens and creates nothing. Fault: NO_FILE. */
MUST_USE Result log_outputs_check(Arena *arena, const LogConfig *config);

/* The log of one file, with all lines. Path NULL: in place of one that could not be opened, lines
   go to stderr, and count as lost (log_file.h). `output` has to live as long. */
LogConfig log_config_of_file(const char *path, LogOutputConfig *output);

/* What outputs have lost since the start: all that there were, by their name. Any thread. */
typedef struct LogOutputFigures {
    const char *name; /* borrowed for ever */
    uint64_t lost;    /* lines that it did not take */
    uint64_t cut;     /* lines of which the end is missing */
} LogOutputFigures;

enum { LOG_FIGURES_MOST = 16 }; /* further ones are counted as "other" */

uint32_t log_outputs_figures(LogOutputFigures figures_out[LOG_FIGURES_MOST]);

#endif
