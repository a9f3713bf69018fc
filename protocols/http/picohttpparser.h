/*
 * Declarations of picohttpparser, which libh2o exports without installing a header. Plain functions
 * without state. They return the size of the head, -1 for a malformed one, -2 for an incomplete
 * one. `last_size` is the size of the input in the previous call, 0 in the first, so that a head
 * that arrives in small pieces is not parsed from its start each time. They are more lenient than
 * RFC 9112: see http1_head.c.
 */
#ifndef PROTOCOLS_PICOHTTPPARSER_H
#define PROTOCOLS_PICOHTTPPARSER_H

#include <stddef.h>

struct phr_header {
    const char *name; /* NULL: the value continues that of the previous line */
    size_t name_len;
    const char *value;
    size_t value_len;
};

int phr_parse_request(const char *text, size_t size, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor, struct phr_header *headers,
                      size_t *num_headers, size_t last_size);

int phr_parse_response(const char *text, size_t size, int *minor, int *status, const char **reason,
                       size_t *reason_len, struct phr_header *headers, size_t *num_headers,
                       size_t last_size);

int phr_parse_headers(const char *text, size_t size, struct phr_header *headers,
                      size_t *num_headers, size_t last_size);

#endif
