/*
 * Supervisor: a small parent of the gateway. It keeps the listening sockets and what the gateway
 * wants its successor to have, starts the gateway again if it crashes, and runs upgrades:
 *
 *      gateway        UPGRADE -->                  WRITTEN -->               (drains, ends)
 *      supervisor                 WRITE -->  start           GO -->          DRAIN -->   exec
 * itself successor                                   PREPARED -->   SERVING -->
 *
 * Before all that it starts the new build with `run --supervise --prove`, so that no build is used
 * that could not supervise. If that or the successor ends, says FAILED or is late, the gateway gets
 * STAYS, and nothing has happened. A signal that it gets goes on to all gateways, except for
 * SIGUSR2, which is an upgrade. It ends with the exit code of the last one. It has one thread,
 * takes no memory, and reads no config.
 */
#ifndef GATEWAY_SUPERVISOR_H
#define GATEWAY_SUPERVISOR_H

/* Runs `program run CONFIG` until it is to end; gives the exit code. `program` is argv[0], which an
   upgrade executes anew. Once, on the main thread, before there are others. */
int supervisor_run(const char *program, const char *config);

enum { SUPERVISOR_PROVED = 86 /* an exit code that nothing else has */ };

/*
 * Whether this build could take the place of the supervisor that has started this process: reads
 * what that one would leave to it, and touches nothing of it. Gives the exit code:
 * SUPERVISOR_PROVED if so. Likewise at first.
 */
int supervisor_prove(void);

#endif
