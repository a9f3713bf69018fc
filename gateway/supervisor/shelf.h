/*
 * Shelf: descriptors with names, which the supervisor keeps for the gateways that it starts.
 * Several may have one name. Takes no memory; one thread.
 */
#ifndef GATEWAY_SHELF_H
#define GATEWAY_SHELF_H

#include "gateway/handover/channel.h"

enum { SHELF_SIZE = 4096 };

typedef struct ShelfEntry {
    int fd;
    char name[CHANNEL_NAME];
} ShelfEntry;

typedef struct Shelf {
    uint32_t n;
    ShelfEntry entries[SHELF_SIZE];
} Shelf;

/* Takes the descriptor; closes it, and gives false, if there is no room or the name is none. */
bool shelf_add(Shelf *shelf, Bytes name, int fd);

/* Closes all that have the name. */
void shelf_drop(Shelf *shelf, Bytes name);

/* Closes all sockets; files stay. */
void shelf_drop_sockets(Shelf *shelf);

/* Adds lines of a roll (roll.h) to a file. False: they could not be written. */
bool shelf_write(const Shelf *shelf, int file);

/* Whether programs that are executed get the descriptors. */
void shelf_pass_on(const Shelf *shelf, bool pass);

#endif
