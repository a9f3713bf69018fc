/* DocumentRules: the options of document.proto, found by field. Private to document*.c. */
#ifndef ADAPTERS_DOCUMENT_RULES_H
#define ADAPTERS_DOCUMENT_RULES_H

#include "adapters/document/document.h"

/* passerelle.document.Spelling. */
typedef enum FieldSpelling {
    SPELLED_PLAIN,
    SPELLED_DURATION,
    SPELLED_SIZE,
    SPELLED_DATE,
    SPELLED_TREE,
    SPELLED_FILE,
} FieldSpelling;

/* The options of one field. */
typedef struct FieldRules {
    FieldSpelling spelled;
    bool bare, needed, secret, has_least, has_most;
    int64_t least, most;
    const char *replaced_by;    /* NULL: it is read */
    const char *deprecated_for; /* NULL: it stays */
} FieldRules;

struct DocumentRules {
    Table fields; /* "passerelle.config.Route.match" -> FieldRules; only those with options */
    Table words;  /* full names of messages with the option `words` */
};

/* Never NULL: a field without options has plain ones. `rules` may be NULL. */
const FieldRules *field_rules(const DocumentRules *rules, const FieldType *field);

/* The field that a scalar, or a list, in place of the message is the value of; NULL: there is none.
 */
const FieldType *bare_field(const DocumentRules *rules, const MessageType *type, bool list);

bool message_has_words(const DocumentRules *rules, const MessageType *type);

#endif
