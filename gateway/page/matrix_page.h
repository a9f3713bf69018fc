/*
 * The version matrix as JSON: who speaks which version, which version served it, and what is lost
 * in between.
 *
 *      {"since": TIME, "services": [{"service": "orders", "versions": ["v1", "v2"],
 *        "cells": [{"client_version": "v1", "served_version": "v2", "calls", "errors", "degraded",
 *                   "losses", "p50_ms", "p99_ms",
 *                   "lost": [{"field", "kind", "from", "to", "calls"}],     counted
 *                   "loses": ["Order.note", ...]}]}]}                       what may be lost
 *
 * The services of the config, in its order, with the calls of this process since it began. `calls`
 * of a loss are the values that were lost: each of a list.
 */
#ifndef GATEWAY_MATRIX_PAGE_H
#define GATEWAY_MATRIX_PAGE_H

#include "gateway/config/config.h"

/* One object. Any thread that holds a reference to the config. */
void matrix_page_write(const Config *config, Buffer *out);

#endif
