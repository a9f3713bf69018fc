/*
 * The parsers that libh2o exports but whose header it does not install (picohttpparser). Plain
 * functions without state. They return the size of the head, -1 for a bad one, -2 for an incomplete
 * one; `last_size` is what the size was the last time, 0 the first time, so that a head that comes
 * in drops is not parsed again for each. They are laxer than RFC 9112: see http1_head.c.
 */
#ifndef PROTOCOLS_PICOHTTPPARSER_H
#define PROTOCOLS_PICOHTTPPARSER_H

#include <stddef.h>

struct phr_header {
    const char *name; /* NULL: the value continues that of the line before */
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
