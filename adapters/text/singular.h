/*
 * Singulars: one of the things that an English plural names. Pure functions; any thread.
 */
#ifndef ADAPTERS_SINGULAR_H
#define ADAPTERS_SINGULAR_H

#include "base/bytes.h"

/*
 * "books" -> "book", "bookShelves" -> "bookShelf", "policies" -> "policy", "statuses" -> "status".
 * What is no plural by its letters ("news", "status", "series") stays. In the arena.
 */
Bytes singular_of(Bytes plural, Arena *arena);

#endif
