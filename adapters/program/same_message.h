/*
 * Whether two serialized messages say the same, however each was spelled: fields in any order,
 * lists packed or not, zeros written or not. What the type does not know is left aside. Pure; any
 * thread; the time is the product of the sizes at worst, for maps, so one of the two should be
 * small.
 */
#ifndef ADAPTERS_SAME_MESSAGE_H
#define ADAPTERS_SAME_MESSAGE_H

#include "adapters/schema/schema.h"

bool messages_same(const MessageType *type, Bytes a, Bytes b);

#endif
