/* A parsed path template: for rest_template.c, rest_table.c and their tests. Read-only after
   parsing; all of it is in the arena of rest_template_parse. */
#ifndef PROTOCOLS_REST_INTERNAL_H
#define PROTOCOLS_REST_INTERNAL_H

#include "protocols/rest/rest.h"

typedef enum SegmentKind {
    SEGMENT_LITERAL,
    SEGMENT_ONE,  /* "*": one segment, not empty */
    SEGMENT_REST, /* "**": any number of segments; only at the end of a template */
} SegmentKind;

typedef struct Segment {
    SegmentKind kind;
    Bytes literal;
} Segment;

/* "{name=projects/{*}}": the variable covers the segments from .. to - 1. */
typedef struct RestVariable {
    Bytes field_path;
    size_t from, to;
    bool is_multi; /* several segments or "**": decoded as rest_table_decode_reserved says */
} RestVariable;

struct RestTemplate {
    Bytes text;
    Segment *segments;
    size_t n_segments, segments_capacity;
    RestVariable *variables;
    Bytes *field_paths; /* of the variables */
    size_t n_variables, variables_capacity;
    Bytes verb; /* without ":"; empty when there is none */
};

#endif
