/* How much a mapping may lose. Pure; for load time. */
#ifndef GATEWAY_PAIR_LOSSES_H
#define GATEWAY_PAIR_LOSSES_H

#include "adapters/mapping.h"

/* The fields, in all messages that a message of this kind may hold, that are dropped or narrowed in silence. */
uint32_t pair_losses(Arena *arena, const Mapping *mapping);

#endif
