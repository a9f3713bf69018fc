/*
 * SyscallFilter: the system calls that this process may still make. Any other one fails with EPERM
 * and is counted: for a library that asks for something new the gateway goes on, and somebody
 * learns of it. There is one filter in the process.
 */
#ifndef GATEWAY_SYSCALL_FILTER_H
#define GATEWAY_SYSCALL_FILTER_H

#include "base/result.h"

enum { SYSCALL_NUMBERS = 1024 }; /* higher ones are counted as the last */

/* For all threads, and for good. Once. Fault: SYSTEM. */
MUST_USE Result syscall_filter_load(Arena *arena);

/* How often the call of the number was refused. Any thread. */
uint64_t syscall_filter_refused(int number);

/* `refused` is called in a handler of signals, on any thread, when a call was refused. NULL: nobody
   any more. Any thread. */
void syscall_filter_told_to(void (*refused)(void));

/* The name of a call, in `arena`: "execve". */
const char *syscall_filter_name(Arena *arena, int number);

#endif
