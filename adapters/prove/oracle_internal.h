#ifndef ADAPTERS_ORACLE_INTERNAL_H
#define ADAPTERS_ORACLE_INTERNAL_H

#include "adapters/changes/change_list.h"
#include "adapters/prove/oracle.h"
#include "adapters/text/ratio.h"

/* One list in one direction, at work. */
typedef struct Oracle {
    Arena *arena;
    const OracleChain *chain;
    const ChangeList *list;
    int to;                    /* the end that it goes to */
    const MethodEntry *method; /* whose answer the message is, or NULL */
    const char *part;          /* the field at hand, by its name in the source */
} Oracle;

/* oracle.c */
MUST_USE Result oracle_pair(Oracle *o, const MessagePair *pair, const Tree *from, Tree **to_out);
const MessagePair *oracle_find_pair(const Oracle *o, const MessageType *from);

/* oracle_any.c: one google.protobuf.Any as another. */
MUST_USE Result oracle_any(Oracle *o, const Tree *from, Tree *to);

/* oracle_mask.c: one field mask as another. */
MUST_USE Result oracle_mask(Oracle *o, const Converter *by, const Tree *from, Tree *to);

/* oracle_convert.c: one value by a converter. *absent_out: nothing comes out. */
MUST_USE Result oracle_value(Oracle *o, const Converter *converter, const TreeValue *from,
                             TreeValue *to_out, bool *absent_out);

/* oracle_digits.c: as ratio.h has it. */
double oracle_nearest(Wide number, Ratio ratio, bool single);
bool oracle_whole(double number, Ratio ratio, bool single, Wide *nearest_out, Wide *cut_out,
                  bool *exact_out);

#endif
