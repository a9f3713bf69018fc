/*
 * Reading: one list of instances, read for one service by its source, on the way to the main
 * thread.
 *
 *      reading_new -> reading_take | reading_fail -> the main thread -> reading_set -> reading_free
 *
 * Made on any thread, and owned by one at a time. It holds its config, so that entries can be read
 * while the main thread loads another one.
 */
#ifndef GATEWAY_READING_H
#define GATEWAY_READING_H

#include "gateway/instances/instance_set.h"
#include "gateway/inventory/instance_list.h"

typedef struct Reading {
    uint64_t watch; /* whose: see source.h */
    Arena *arena;   /* no limit */
    Config *config; /* a reference */
    Service *service;
    int64_t at;        /* when it was made: monotonic nanoseconds */
    Result why;        /* failed: the list, or a part of it, cannot be read now */
    bool has_list;     /* of the parts that cannot be read, it has what they were before */
    bool same;         /* there is no list here, for nothing has changed since the last good one */
    bool empty_is_old; /* an empty list has been empty for `empty_after` */
    InstanceList list;
    Problems problems;
    /* private */
    Table had;
    InstanceSet *before; /* the instances in `had` */
    bool used;           /* the set has the new instances of the list */
    struct Reading *next;
} Reading;

/* Never NULL. Takes a reference to the config. */
Reading *reading_new(uint64_t watch, Config *config, Service *service);

/* Reads the list. Texts that are no list are marked, as by config_list_read; if all are, it fails.
   May be called again with other texts. */
void reading_take(Reading *reading, ListDocument *documents, uint32_t n);

/* The same from instances of an older config, which their entries are in. */
void reading_again(Reading *reading, const InstanceSet *before);

/* The list, or a part of it, cannot be read now. `why` is copied. */
void reading_fail(Reading *reading, Result why);

/* A set of the instances in the list; unchanged ones are those that the service had. Once. */
InstanceSet *reading_set(Reading *reading);

void reading_free(Reading *reading);

#endif
