/* Counts what OpenSSL allocates as MEMORY_TLS of the process. */
#ifndef GATEWAY_TLS_MEMORY_H
#define GATEWAY_TLS_MEMORY_H

#include <stdbool.h>

/* To be called before OpenSSL allocates anything: before the constructors of libraries, with one
   thread. False: it has allocated already, and nothing is counted. */
bool tls_memory_count(void);

#endif
