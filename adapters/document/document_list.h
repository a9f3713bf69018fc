/*
 * DocumentList: what a document says, one value after the other, with its place; and of each
 * message that is there the defaults of what it does not say. For people who ask where a setting is
 * from.
 */
#ifndef ADAPTERS_DOCUMENT_LIST_H
#define ADAPTERS_DOCUMENT_LIST_H

#include "adapters/document/document.h"

/* Valid until the call returns. */
typedef struct DocumentValue {
    const char *path; /* "services[0].name" */
    Bytes text;       /* as it is written, or would be; of a tree its JSON; empty if it is secret */
    const char *file; /* that it is written in; NULL: it is the default */
    int line;         /* there, from 1; 0: it is the default */
    bool secret;
    JsonNode *node; /* the value itself; NULL: it is the default */
} DocumentValue;

typedef void DocumentOnValue(void *owner, const DocumentValue *value);

/*
 * Calls `on_value` for each value of a document as a `type`, in its order. Keys that the type does
 * not have are left out, and so are mistakes. Of lists of scalars each element is a value.
 */
void document_list(const DocumentRules *rules, const MessageType *type,
                   const YamlDocument *document, Arena *arena, DocumentOnValue *on_value,
                   void *owner);

#endif
