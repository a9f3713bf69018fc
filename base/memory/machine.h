/* How much memory the process may have: the machine's, or less by its cgroups. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <stdint.h>

/* In bytes; 0: unknown. `root`: "" or where another /proc and /sys are, for tests. Reads files. Any
   thread. */
uint64_t machine_memory(const char *root);

#endif
