/*
 * Files, read and replaced whole; and which one a thread reads just now.
 *
 * A mount that hangs blocks the thread that reads a file there, and only the end of the process
 * interrupts that. The running gateway therefore reads files on threads that it can leave behind
 * (chore.h); a FileNote tells its other threads what such a thread is waiting for.
 *
 * A file is a regular one, or what a shell has opened for the process: /dev/stdin, /dev/fd/N. A
 * FIFO by another name, a socket or a device is refused, for it may never end.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/bytes.h"
#include "base/result.h"

#include <pthread.h>

/* The whole file; from most + 1 bytes on it is refused. Faults: NO_FILE; OUT_OF_MEMORY if the arena
   has a limit. */
MUST_USE Result file_read(Arena *arena, const char *path, size_t most, Bytes *content_out);

/* Whole or not at all: writes a new file beside it, and renames that. `like`: whose mode it gets,
   and owner, as far as this process may give files away; NULL: mode 0644, and its own. Fault:
   NO_FILE. Not noted as a read. */
struct stat;
MUST_USE Result file_replace(Arena *arena, const char *path, Bytes content,
                             const struct stat *like);

/* The folder of a path: "." if it names none. */
const char *file_folder(Arena *arena, const char *path);

/* Whether it can be read once only: "-", the standard input, or what a shell has opened. */
bool file_ends(const char *path);

/* For a file that a library will read by its name, perhaps more than once: why it is not a regular
   one. NULL: it is, or is not there. */
const char *file_not_regular(const char *path);

/* What one thread reads. Lives until that thread has ended or notes elsewhere. */
typedef struct FileNote {
    pthread_mutex_t mutex;
    char path[4096]; /* cut off if it is longer; empty: it reads no file */
} FileNote;

/* For a zeroed one. */
void file_note_init(FileNote *note);
void file_note_deinit(FileNote *note);

/* The calling thread notes its reads there from now on; NULL: nowhere, as at first. */
void file_note_use(FileNote *note);

/* The calling thread reads this file by other means than file_read; NULL: no more. */
void file_note_reading(const char *path);

/* Who hears of each file and folder that the calling thread reads, by its name; NULL: nobody, as at
   first. What a shell has opened is left out: it can be read once. */
typedef void FileSeen(void *owner, const char *path);
void file_note_tell(FileSeen *see, void *owner);

/* A copy of what the thread reads just now, in the arena; NULL: no file. Any thread. */
const char *file_note_read(FileNote *note, Arena *arena);

#endif
