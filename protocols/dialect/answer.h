/* Statuses that an answer's head implies where it does not say one. For protocols/ only. */
#ifndef PROTOCOLS_ANSWER_H
#define PROTOCOLS_ANSWER_H

#include "protocols/dialect/dialect.h"

/* By http-grpc-status-mapping.md. */
Status answer_inferred_status(uint16_t http_status, Arena *arena);

/* An answer of another kind altogether, from something that does not speak the dialect: UNKNOWN. */
Status answer_foreign_status(Bytes content_type, Arena *arena);

#endif
