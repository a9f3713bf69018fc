/*
 * Healing: what the gateway does by itself about what is broken; told, counted and listed.
 *
 * An act that lasts has a beginning and an end (an ejection, an open breaker): both are events, the
 * one with the cause, the other with the duration. Acts of single calls (a retry) are counted by
 * their loop. All are in passerelle_healing_total{act, service}. Any thread; one state for the
 * process, which stays over reloads.
 *
 *      healing_begin(HEALING_EJECT, "orders", "10.0.0.7:7001", OK,
 *                    "30 of 100 calls failed, 1 of 1900 of the others");
 *      ...
 *      healing_end(HEALING_EJECT, "orders", "10.0.0.7:7001", "its time is over");
 */
#ifndef GATEWAY_HEALING_H
#define GATEWAY_HEALING_H

#include "base/result.h"
#include "gateway/config/config.h"
#include "gateway/config/healing_act.h"
#include "gateway/loop/loop.h"

/* "eject": as in metrics, events and the config. */
const char *healing_act_name(HealingAct act);

/*
 * Something is being healed from now on: a warning with the cause and the numbers of the text.
 * `service` is its name, NULL for what concerns the whole gateway; `subject` is what is wrong in
 * it, mostly the address of an instance, or NULL. If the same has begun already, this is a new
 * reason for it, and counted again. Takes a lock: not for what happens to each call.
 */
void healing_begin(HealingAct act, const char *service, const char *subject, Result cause,
                   const char *format, ...) PRINTF_LIKE(5, 6);

/* It is healed no longer, and why: an event with its duration. `service` may be NULL for whichever
   it has begun. Does nothing if it has not begun. */
void healing_end(HealingAct act, const char *service, const char *subject, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Of acts that this process has taken over (HEALING_EJECT, HEALING_CHECK, HEALING_MANUAL): this one
   goes on. It is not counted again. False: there is none; whoever does it begins it. `service` may
   be NULL for whichever has it. */
bool healing_goes_on(HealingAct act, const char *service, const char *subject);

/* Ends the acts that were taken over, and of which nobody has said that they go on: they had ended
   when the process before was asked no more. */
void healing_settle(HealingAct act);

/* An act of a single call: a retry, a hedge, one that is shed, an older version, another cell. Only
   counted. `service` may be NULL. On the loop's thread. */
void healing_count(Loop *loop, HealingAct act, const Service *service);

/* False while there are too many such acts: those that would do harm are not done then. Costs one
   relaxed load while there is no excess anywhere. */
bool healing_may(HealingAct act, const char *service);

/* ---- For the process ------------------------------------------------------------------------- */

/* From here on the limits of the config hold, the metrics tell, and once in a second of this loop
   the windows are looked at. What the process before this one has left goes on (handover.h).
   Everything above works before, too. */
void healing_start(uv_loop_t *loop, const Config *config);

/* The limits are those of this config from now on, and its services those that are counted. After
   telemetry_adopt. */
void healing_use(const Config *config);

/* Looks at the windows now. Any thread. */
void healing_look(void);

/* No more looks: before the loop ends. */
void healing_stop(void);

/* Forgets everything, and the metrics tell no more. Nobody else uses it any longer. */
void healing_forget(void);

#endif
