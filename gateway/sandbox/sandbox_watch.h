/*
 * SandboxWatch: what the process gives up when its sockets are open, and which system calls were
 * refused since: as a metric, and each once as the event `sandbox_refused`. There is one in the
 * process. The main thread only, except for the metrics.
 */
#ifndef GATEWAY_SANDBOX_WATCH_H
#define GATEWAY_SANDBOX_WATCH_H

#include "gateway/config/config.h"

#include <uv.h>

/* Gives it up, if the config says so: for good. Fault: SYSTEM. */
MUST_USE Result sandbox_enter(Arena *arena, const SandboxConfig *config);

void sandbox_watch_start(uv_loop_t *loop);

/* Before the loop ends. */
void sandbox_watch_stop(void);

#endif
