/*
 * LogFile: a file as the target of a log: lines are appended as they are.
 *
 * A file that takes no bytes (a FIFO whose reader stands still) holds up the log's writer.
 */
#ifndef BASE_FILE_LOG_FILE_H
#define BASE_FILE_LOG_FILE_H

#include "base/log.h"

/* Opens (appends to) the file, or stdout for "-". NULL: no file could be opened: lines go to
   stderr, and each counts as one that could not be written. Fault: NO_FILE (also for a FIFO that
   nobody reads). */
MUST_USE Result log_file_open(Arena *arena, const char *path, LogTarget **target_out);

/* Whether log_file_open could open the file now; opens and creates nothing. Fault: NO_FILE. */
MUST_USE Result log_file_check(Arena *arena, const char *path);

#endif
