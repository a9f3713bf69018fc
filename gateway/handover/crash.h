/*
 * Crash: a signal that ends the process leaves a backtrace behind, for the successor to report.
 */
#ifndef GATEWAY_CRASH_H
#define GATEWAY_CRASH_H

/*
 * Of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT and SIGTRAP: writes where the thread was to `fd`, and
 * to the standard error, then lets the signal have its effect. Once, before other threads.
 */
void crash_watch(int fd);

#endif
