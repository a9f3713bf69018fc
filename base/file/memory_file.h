/*
 * MemoryFile: a text in a file that has no name (memfd_create), to be handed to another process.
 * Plain functions; any thread.
 */
#ifndef BASE_MEMORY_FILE_H
#define BASE_MEMORY_FILE_H

#include "base/bytes.h"

/* With the text, sealed: nobody can change it any more. Closed on exec. -1: there is no memory, or
   no descriptor. */
int memory_file_make(const char *name, Bytes text);

/* Its text, in `arena`, cut off after `most` bytes. Empty if it cannot be
   read. The descriptor stays. */
Bytes memory_file_read(Arena *arena, int fd, size_t most);

#endif
