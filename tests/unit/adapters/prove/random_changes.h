/*
 * Random versions of an API and the lists of what became of it, for the proof that plans do what
 * lists say.
 *
 * A version is a handful of messages and enums. The next one is made from it change by change, each
 * with its line of the list, so that every list is one that has to load. Beside them there are
 * messages that only an Any brings, and a service. Lives in the arena that is given.
 */
#ifndef TESTS_UNIT_ADAPTERS_RANDOM_CHANGES_H
#define TESTS_UNIT_ADAPTERS_RANDOM_CHANGES_H

#include "adapters/changes/changes.h"
#include "base/random.h"

enum { RANDOM_VERSIONS = 8, RANDOM_METHODS = 8 };

/* Of one version's service. What is the same method, under whatever name, has the same id. */
typedef struct RandomMethods {
    const char *service;
    uint32_t ids[RANDOM_METHODS]; /* as they are declared */
} RandomMethods;

typedef struct RandomChain {
    ChangeSide sides[RANDOM_VERSIONS];
    RandomMethods methods[RANDOM_VERSIONS];
    uint32_t n_versions;
    const char *lists[RANDOM_VERSIONS - 1]; /* YAML */
    uint32_t n_lists;
    const char *schemas; /* all of them, for people */
} RandomChain;

/* The same seed gives the same chain. */
void random_chain(Arena *arena, uint64_t seed, RandomChain *chain_out);

#endif
