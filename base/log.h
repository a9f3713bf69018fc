/*
 * Log: lines that get to a file without holding up the threads that say them.
 *
 *   producer thread --line--> [LogRing] --+
 *   producer thread --line--> [LogRing] --+--> writer thread --> file or stdout
 *   any thread -----line--> [shared ring]-+
 *
 * Each producer has a ring of bytes of its own; the writer empties them all. A ring that has no
 * room drops the line and counts it, so that a slow disk costs lines, never time. Lines are written
 * whole. The Log is process-wide: opened by the main thread before the producers start, closed
 * after they ended.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"
#include "base/result.h"

typedef struct Log Log;
typedef struct LogRing LogRing;

enum { LOG_RING_SIZE = 1 << 20 };

/* Opens (appends to) the file, or stdout for "-", and starts the writer. Fault: NO_FILE, SYSTEM. */
MUST_USE Result log_open(Arena *arena, const char *path, Log **log_out);

/*
 * From now on lines go to `path`, opened anew: after a rotation, or a new config. When that fails
 * the old file goes on being used. Any thread. Fault: NO_FILE.
 */
MUST_USE Result log_reopen(Log *log, Arena *arena, const char *path);

/* A ring for the calling thread; `size` is a power of two. Lives as long as the Log. Any thread. */
LogRing *log_ring(Log *log, size_t size);

/* Hands one line over, without its newline. Only the thread that owns the ring. False: dropped. */
bool log_write(LogRing *ring, Bytes line);

/* The same from any thread, for what is said seldom: takes a lock. */
bool log_write_shared(Log *log, Bytes line);

/* Lines that found no room, and lines (or parts) that the file did not take. Any thread. */
uint64_t log_dropped(const Log *log);
uint64_t log_failed(const Log *log);

/* Writes out what is there, ends the writer and frees everything, the rings too. NULL is fine. */
void log_close(Log *log);

#endif
