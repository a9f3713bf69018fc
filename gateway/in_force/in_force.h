/*
 * InForce: which config is in force, where each of its values is from, and which configs were
 * refused, the latest 20. It is what operators ask for who wonder why a setting has no effect. One
 * state for the process; any thread.
 */
#ifndef GATEWAY_IN_FORCE_H
#define GATEWAY_IN_FORCE_H

#include "gateway/config/config.h"

enum { IN_FORCE_REFUSALS = 20, IN_FORCE_MISTAKES = 16384 /* bytes that are kept of each */ };

/* All is borrowed. */
typedef struct RefusedConfig {
    int64_t at;        /* wall time in nanoseconds */
    const char *who;   /* the operator who wanted it; NULL: nobody in particular, a signal */
    Bytes why;         /* as the operator says; may be empty */
    const char *cause; /* "3 mistakes in gateway.yaml" */
    Bytes mistakes;    /* a line each; may be empty */
} RefusedConfig;

/* The config of this generation is in force since then. */
void in_force_use(uint64_t generation, int64_t wall);

/* Copies what it keeps. */
void in_force_refuse(const RefusedConfig *refused);

/*
 * One object: {"generation", "since", "file", "hash", "sources": [FILE, ...], "values": [...],
 * "values_left_out", "refused": [{"at", "who", "why", "cause", "mistakes": [LINE, ...]}, ...]}, the
 * latest refusal first. The values are those of config_values.h.
 */
void in_force_write(const Config *config, Buffer *out);

/* As if the process had just begun. */
void in_force_forget(void);

#endif
