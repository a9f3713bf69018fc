/* Field masks: which of the other messages beside one it names fields of. */
#ifndef ADAPTERS_FIELD_MASK_H
#define ADAPTERS_FIELD_MASK_H

#include "adapters/schema/schema.h"

bool field_is_mask(const FieldType *field);

/*
 * The only other message beside a mask, as in `{order, update_mask}`. NULL: there is none, or there
 * are several; or the mask is a read_mask (AIP-157), which names fields of the response, whatever
 * stands beside it.
 */
const MessageType *field_mask_subject(const FieldType *mask);

#endif
