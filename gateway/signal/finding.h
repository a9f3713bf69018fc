/*
 * Finding: what a detector has noticed, with its evidence: not an alarm, but something that a
 * person should look at. Plain data.
 */
#ifndef GATEWAY_FINDING_H
#define GATEWAY_FINDING_H

#include "base/bytes.h"

typedef enum FindingKind {
    FINDING_FIRST,  /* a kind of failures that was not seen before */
    FINDING_MIX,    /* clients of a service speak other versions than usual */
    FINDING_SILENT, /* a client that calls regularly does not call any more */
    FINDING_DRIFT,  /* a method becomes slower, fails more often, or loses more */
    FINDING_KINDS,
} FindingKind;

enum { FINDING_FACTS = 8, FINDING_NAME_SIZE = 192 /* bytes of a subject, with its NUL */ };

/* A number or a text of the evidence. */
typedef struct FindingFact {
    const char *name;
    const char *text; /* NULL: it is a number */
    double number;
} FindingFact;

/* All is borrowed during the call of a FindingSink. */
typedef struct Finding {
    FindingKind kind;
    const char *subject; /* what it is about: the same each time that it is found */
    Bytes client;        /* the client that it names, as it is recorded; or empty */
    int64_t since;       /* wall time: when it began */
    FindingFact facts[FINDING_FACTS];
    uint32_t n_facts;
} Finding;

typedef void FindingSink(void *owner, const Finding *finding);

/* "first", "mix", "silent", "drift". */
const char *finding_kind_name(FindingKind kind);

void finding_add_number(Finding *finding, const char *name, double number);
void finding_add_text(Finding *finding, const char *name, const char *text);

/* The evidence as a JSON object. */
void finding_write_evidence(const Finding *finding, Buffer *out);

/* A hash of kind and subject: the same in all gateways. */
uint64_t finding_id(const Finding *finding);

#endif
