/*
 * Process: the running gateway: workers, the admin listener, signals, reloads, shutdown.
 *
 *      SIGTERM            within the config's drain delay readiness fails and serving goes on; then
 *                         drain: listeners close, calls finish within the config's drain time
 *      SIGINT             the same without the delay, also what is left of one
 *      ... a second time  ends now
 *      SIGUSR2            asks the supervisor for an upgrade; without one it is refused
 *      SIGHUP             opens the log again, then reads the config again; the old one stays when
 *                         it does not check
 *
 * With a supervisor (gateway/supervisor) its listeners accept when it has told them to; when a
 * successor serves, it drains with the config's upgrade drain time.
 *
 * Signals during startup: signals.h. A reload or a list of instances that is still waiting for a
 * file is left behind (chore.h).
 */
#ifndef GATEWAY_PROCESS_H
#define GATEWAY_PROCESS_H

#include "gateway/config/config.h"
#include "gateway/thread/signals.h"

/*
 * Runs until it is stopped; on the main thread, once, after signals_hold. Takes the caller's
 * reference to the config. SIGHUP reads `config_path` again. `stop` is ended as soon as signals can
 * be handled. They are blocked again when it returns: the process ends. The Result lives in
 * `arena`: SYSTEM, NO_FILE or BAD_CONFIG when it could not start.
 */
MUST_USE Result process_run(Arena *arena, Config *config, const char *config_path, EarlyStop *stop);

#endif
