/* What stands in for telemetry and the config in tests of the files that move bytes. */
#ifndef TESTS_UNIT_GATEWAY_DOUBLES_H
#define TESTS_UNIT_GATEWAY_DOUBLES_H

#include "gateway/healing/healing.h"
#include "gateway/telemetry/telemetry.h"

extern unsigned counted[COUNTER_COUNT];

/* How often healing_begin and healing_end were called, and the service and subject of the last
   beginning: "orders 10.0.0.7:7001". */
extern unsigned healing_begun[HEALING_ACTS], healing_ended[HEALING_ACTS];
extern char healing_what[256];

/* Of the last request that was refused before it was a call. */
extern Code refused_code;
extern const Fault *refused_fault;

/* A config with short times, and whatever else the test puts in. */
Config config_for_test(void);

/* Runs the loop until `done` says so; fails the test after 20 seconds. */
void loop_run_until(Loop *loop, bool (*done)(void));

#endif
