/* SqliteFile: the file of a store, looked at and copied from outside. Blocks; any thread. */
#ifndef GATEWAY_SQLITE_FILE_H
#define GATEWAY_SQLITE_FILE_H

#include "base/result.h"

/*
 * Before SQLite opens it, for it would wait for the writer of a FIFO, read a device for ever, and
 * remove the WAL of a file that has no bytes. A file that is missing is good. Faults: STORE_DOWN,
 * over STORE_DAMAGED where the file was cut off.
 */
MUST_USE Result sqlite_file_check_kind(Arena *arena, const char *file);

/*
 * Whether a gateway that runs as this user could use the file: it or its folder can be written, and
 * it is a sound database, as far as one second of reading shows. A file that is missing is made by
 * the gateway. Faults: STORE_DOWN, over STORE_DAMAGED where it is damaged.
 */
MUST_USE Result sqlite_file_look(Arena *arena, const char *file);

/*
 * Copies the whole database as it is at one moment, also while gateways write to it. The copy is
 * checked, and then takes the name `copy` from the regular file that had it: after a failure there
 * is the old one, or none. Only its owner may read it. Faults: STORE_DOWN, over STORE_DAMAGED;
 * NO_FILE (the copy cannot be written, its name is that of no regular file, or it is a part of the
 * store).
 */
MUST_USE Result sqlite_file_back_up(Arena *arena, const char *file, const char *copy);

#endif
