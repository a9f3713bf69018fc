/*
 * Log: writes lines to a file without delaying the threads that log them.
 *
 *   producer thread --line--> [LogRing] --+
 *   producer thread --line--> [LogRing] --+--> writer thread --> file or stdout
 *   any thread -----line--> [shared ring]-+
 *
 * Each producer has its own ring of bytes; the writer empties all of them. If a ring is full, the
 * line is dropped and counted, so that a slow disk costs lines, never time. Lines are written
 * whole. The Log is process-wide: opened by the main thread before the producers start, closed
 * after they ended.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"
#include "base/result.h"

#include <sys/uio.h>

typedef struct Log Log;
typedef struct LogRing LogRing;

enum { LOG_RING_SIZE = 1 << 20 };

/* Opens (appends to) the file, or stdout for "-", and starts the writer. NULL: no file could be
   opened; until log_reopen, lines go to stderr and are counted by log_failed. Faults: NO_FILE (also
   for a FIFO that nobody reads), SYSTEM. */
MUST_USE Result log_open(Arena *arena, const char *path, Log **log_out);

/* Whether log_open could open the file now; opens and creates nothing. Fault: NO_FILE. */
MUST_USE Result log_check(Arena *arena, const char *path);

/*
 * Opens `path` again, after a rotation or for a new config; lines go there from now on. If that
 * fails, the old file stays in use; a FIFO that nobody reads fails. Any thread. Fault: NO_FILE.
 */
MUST_USE Result log_reopen(Log *log, Arena *arena, const char *path);

/* A ring for the calling thread; `size` is a power of two. Lives as long as the Log. Any thread. */
LogRing *log_ring(Log *log, size_t size);

/* Logs one line, without its newline. Only the thread that owns the ring. False: dropped. */
bool log_write(LogRing *ring, Bytes line);

/* The same from any thread, for rare lines: takes a lock. */
bool log_write_shared(Log *log, Bytes line);

/* Who else gets all lines, on the writer's thread, before they are written: in two parts, each line
   with its newline, of which one may begin in the first part and end in the second. */
typedef void LogTap(void *owner, const struct iovec parts[2]);

/* From now on `tap` gets the lines; NULL: nobody, once those from before have come, for which it
   waits a moment. At most one. Any thread but the writer's. */
void log_tap(Log *log, LogTap *tap, void *owner);

/* Lines dropped because a ring was full, and lines (or parts) that could not be written. Any
   thread. */
uint64_t log_dropped(const Log *log);
uint64_t log_failed(const Log *log);

/* Writes the remaining lines, ends the writer and frees everything, including the rings. False: the
   file has not taken all lines within `patience` nanoseconds; the writer waits for it on, and
   frees everything then. NULL is allowed. */
bool log_close(Log *log, int64_t patience);

#endif
