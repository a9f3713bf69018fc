/*
 * Unwind: the stack of the calling thread, in a handler of signals.
 *
 * By libgcc, as the report of a crash (gateway/handover/crash.c): it takes no lock and no memory,
 * and needs no frame pointers. What it reads is as good as the unwind tables of each library; where
 * they are wrong, it may read where nothing is. That must not end the process, so between
 * unwind_guard and unwind_unguard SIGSEGV and SIGBUS end the unwinding in place of it; those of
 * anybody else are as before.
 */
#ifndef GATEWAY_UNWIND_H
#define GATEWAY_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

enum { UNWIND_DEPTH = 100, UNWIND_OWN = 6 /* frames of the handler itself */ };

/* One thread at a time in the process. */
void unwind_guard(void);
void unwind_unguard(void);

/*
 * The frames of what the signal has interrupted, the innermost first: `context` is the handler's
 * third argument. Those of callers are addresses within their call. Returns how many, at least 1;
 * *broken_out: there would be more, but the tables were wrong. Async-signal-safe; only while
 * guarded. Any thread.
 */
uint32_t unwind_interrupted(const void *context, uint64_t frames[UNWIND_DEPTH], bool *broken_out);

#endif
