/*
 * The protobuf format of metrics, for exposition.c only: families as io.prometheus.client
 * .MetricFamily, each behind its length.
 *
 * A family is gathered, and written when the next one begins: the samples of a histogram or summary
 * are one message there, and follow each other.
 */
#ifndef GATEWAY_EXPOSITION_PROTOBUF_H
#define GATEWAY_EXPOSITION_PROTOBUF_H

#include "gateway/telemetry/exposition.h"

/* Ends the family before, and begins one. `full` is its name with all suffixes. */
void protobuf_family_begin(Exposition *e, const char *full, MetricType type, const char *help);

/* One sample, as in exposition_number; `exact` is the same where it is a count. */
void protobuf_sample(Exposition *e, const char *suffix, const Label *labels, size_t n_labels,
                     double value, uint64_t exact);

/* Of the last bucket of the last histogram, which ends at `bound` and has so many. */
void protobuf_exemplar(Exposition *e, const char *bound, uint64_t count, const Exemplar *exemplar);

/* Of the last histogram, whose samples have been added. */
void protobuf_native(Exposition *e, const NativeCounts *counts);

/* Writes the last family. */
void protobuf_end(Exposition *e);

#endif
