/*
 * Whether two serialized messages have the same content, regardless of their encoding: fields in
 * any order, lists packed or not, zeros written or not. Unknown fields are ignored. Pure; any
 * thread; the time is the product of the sizes at worst, for maps, so one of the two should be
 * small.
 */
#ifndef ADAPTERS_SAME_MESSAGE_H
#define ADAPTERS_SAME_MESSAGE_H

#include "adapters/schema/schema.h"

bool messages_same(const MessageType *type, Bytes a, Bytes b);

#endif
