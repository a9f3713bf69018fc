/*
 * Judge: decides again and again which instances get no calls, because they are ejected or because
 * their checks fail (ejection.h), and tells it: to the loops as bars, to operators as acts of
 * healing.
 *
 *      counts of all loops, results of checks --(EJECTION_EVERY)--> Judge --> known_instance_bar
 *
 * It also begins the slow start of instances that have joined, or have come back.
 *
 * Belongs to the main thread and its loop. What it knows of an instance is in its KnownInstance, so
 * that it stays over reloads.
 */
#ifndef GATEWAY_JUDGE_H
#define GATEWAY_JUDGE_H

#include "gateway/config/config.h"

#include <uv.h>

typedef struct Judge Judge;

Judge *judge_new(uv_loop_t *loop);

/* Judges the services of this config from now on, which is borrowed until the next one. After
   instances_adopt. */
void judge_use(Judge *judge, Config *config);

/* Looks once, at this time; the timer does so. */
void judge_look(Judge *judge, int64_t now);

/* Stops it; memory is freed by the loop. */
void judge_end(Judge *judge);

#endif
