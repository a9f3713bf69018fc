/*
 * Placement: a message that is put together from fields of other messages, which the gateway has
 * at hand: a Mapping, as between two versions, for which the compiler makes a plan.
 *
 *      request   --\                  the envelope: a message whose fields are the sources;
 *      response a --> [ envelope ] -> [ plan ] -> message
 *      response b --/                 its wire form is their records, one after the other
 *
 * A source that is not in an envelope leaves what comes from it unset. Used when a config is
 * loaded, by one thread; lives in its arena, which has no limit.
 */
#ifndef ADAPTERS_PLACEMENT_H
#define ADAPTERS_PLACEMENT_H

#include "adapters/mapping/mapping.h"
#include "base/bytes.h"

typedef struct Placement Placement;

typedef struct PlaceSource {
    const char *name;
    const MessageType *message;
} PlaceSource;

/* The type of messages whose field i + 1 is the source i. */
const MessageType *place_envelope(Arena *arena, const PlaceSource *sources, uint32_t n);

/* Adds the record of a source to an envelope. */
void place_record(Buffer *envelope, uint32_t source, Bytes message);

/* What is wrong with one move. */
typedef struct PlaceMistake {
    const char *what; /* NULL: nothing */
    const char *hint; /* may be NULL */
} PlaceMistake;

Placement *placement_new(Arena *arena, const MessageType *envelope, const MessageType *into);

/*
 * The field of the message at this path gets what is at the path of the source; "." is all of it.
 * Paths lead through single messages: "order.customer.id". Both sides have the same type, but that
 * integers may be wider in the message, that enums may be other ones with the same values, and that
 * messages may be of another type: then fields of the same names are copied, and others left out.
 */
PlaceMistake placement_move(Placement *placement, Bytes into, uint32_t source, Bytes from);

/* After all moves. */
const Mapping *placement_mapping(Placement *placement);

#endif
