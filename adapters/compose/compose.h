/*
 * Compose: two steps of a chain become one.
 *
 * "First" is the step from the first version to the version between, "second" the one from there
 * on. Used when a config is loaded; everything lives in its arena, which has no limit; one thread.
 */
#ifndef ADAPTERS_COMPOSE_H
#define ADAPTERS_COMPOSE_H

#include "adapters/mapping/mapping.h"
#include "base/problem.h"

/*
 * The mappings of both steps at once, which borrow from the two sets. `same_package`: the versions
 * at both ends have their names in one package. Problems are told in the second list's name; the
 * result is then of no use.
 */
const MappingSet *mapping_sets_compose(Arena *arena, const MappingSet *first,
                                       const MappingSet *second, bool same_package,
                                       Problems *problems);

#endif
