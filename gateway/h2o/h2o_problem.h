/*
 * The responses that libh2o makes by itself, to requests that are malformed or too large, in the
 * shape of all others of the admin listener: problem documents (RFC 9457).
 */
#ifndef GATEWAY_H2O_PROBLEM_H
#define GATEWAY_H2O_PROBLEM_H

#include <h2o.h>

/* For the paths of a host to which only libh2o responds: its fallback_path. */
void h2o_problem_use(h2o_pathconf_t *path);

#endif
