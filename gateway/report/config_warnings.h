/*
 * Warnings: what is no mistake of a config, but harms somebody here and today: it depends on the
 * date, on name servers and on the machine. For `passerelle check`.
 */
#ifndef GATEWAY_CONFIG_WARNINGS_H
#define GATEWAY_CONFIG_WARNINGS_H

#include "gateway/config/config.h"

/* What the warnings depend on, beside the config. */
typedef struct Surroundings {
    int64_t wall;    /* now: wall time in nanoseconds */
    uint64_t memory; /* bytes that the process may have; 0: unknown */
    bool root;       /* it is started by root */
    /* Why the host name has no address, as a literal; NULL: it has one. */
    const char *(*resolve)(void *owner, const char *host);
    void *owner;
} Surroundings;

/*
 * Those of this process. Each name waits for the name servers; once `patience` (nanoseconds) is
 * used up, the names that follow are not looked up. `began` is kept there: it must outlive the
 * Surroundings.
 */
typedef struct Patience {
    int64_t began, patience;
} Patience;
Surroundings surroundings_here(Patience *patience);

/* Tells all, as problems without a place, which may be in the text:
 *   - a key that a later release does not read;
 *   - two methods of one version have the same REST requests;
 *   - the default version of a service, or one that a client is pinned to, is past its sunset;
 *   - a certificate that the gateway shows has ended, ends within 30 days, or begins later;
 *   - a host name cannot be resolved;
 *   - nothing is served: there are no services and no routes;
 *   - the log's file cannot be opened, or has the name of an output of the process;
 *   - the file of the store, or its folder, cannot be written, or it is damaged;
 *   - clients must prove who they are, and no rule says what each of them may call;
 *   - a rule about who may call does not do what one expects of it (access_warnings.h);
 *   - one message uses up a limit of bytes for more than a minute;
 *   - others may use a file with a key, a token or a password;
 *   - root stays root in the sandbox;
 *   - keys of tokens come from a URL, and no file keeps them for the next start, or it cannot be
 *     written;
 *   - limits that the config sets are beyond the file descriptors or the memory of the process, or
 * one call may need more memory than there is for all. */
void config_warnings(const Config *config, const Surroundings *here, Problems *warnings);

#endif
