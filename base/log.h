/*
 * Log: writes lines somewhere without delaying the threads that log them.
 *
 *   producer thread --line--> [LogRing] --+
 *   producer thread --line--> [LogRing] --+--> writer thread --> LogTarget
 *   any thread -----line--> [shared ring]-+
 *
 * Each producer has its own ring of bytes; the writer empties all of them. If a ring is full, the
 * line is dropped and counted, so that a slow target costs lines, never time. Lines are written
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

/* Where lines go: base/file/log_file.h, gateway/log_output. All of it happens on one thread at a
   time, and once a Log has it, on that of its writer. */
typedef struct LogTarget LogTarget;
struct LogTarget {
    /* Takes lines, each with its newline; the first part may end within a line that the second one
       completes, and either may be empty. Returns how many of them it could not write. */
    uint64_t (*write)(LogTarget *target, const struct iovec parts[2]);
    void (*free)(LogTarget *target);
};

/* Starts the writer, which owns the target from now on, also if this fails. Fault: SYSTEM. */
MUST_USE Result log_start(Arena *arena, LogTarget *target, Log **log_out);

/* From now on lines go to this target, of which the log is the owner. Any thread. */
void log_direct(Log *log, LogTarget *target);

/* Adds one to log_failed: a target could not be opened. Any thread. */
void log_count_failure(Log *log);

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

/* Writes the remaining lines, ends the writer and frees everything, with the rings and the target.
   False: it has not taken all lines within `patience` nanoseconds; the writer waits for it on, and
   frees everything then. NULL is allowed. */
bool log_close(Log *log, int64_t patience);

#endif
