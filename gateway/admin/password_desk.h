/*
 * PasswordDesk: passwords of operators, checked one at a time on a thread apart.
 *
 *      admin thread   request --> ask --> first in the row? --> check ......... on_verdict
 *                                  |no                            |               next in the row
 *      its thread               waits, then on_turn            Argon2id, 64 MiB
 *
 * One check takes about a tenth of a second, and as much memory as its hash says, so there is never
 * more than one in the process. What waits is bounded. A job of the work pool would hold up calls.
 * All on the admin's thread.
 */
#ifndef GATEWAY_PASSWORD_DESK_H
#define GATEWAY_PASSWORD_DESK_H

#include "gateway/password/password_cache.h"

#include <uv.h>

enum { PASSWORD_WAITING_MOST = 16 };

typedef struct PasswordDesk PasswordDesk;
typedef struct PasswordAsker PasswordAsker;

/* A request that waits; embedded in its owner, which lives until one of these is called, or until
   it was taken back. */
struct PasswordAsker {
    void (*on_turn)(PasswordAsker *asker); /* the desk is free: it may ask again */
    void (*on_verdict)(PasswordAsker *asker, PasswordVerdict verdict);
    void (*on_closed)(PasswordAsker *asker); /* instead: the desk is closed */
    PasswordDesk *desk;                      /* where it waits; NULL: nowhere */
    PasswordAsker *next;
};

PasswordDesk *password_desk_new(uv_loop_t *loop);

/* All that wait are told so. A check that runs goes on, and the loop with it. NULL is allowed. */
void password_desk_close(PasswordDesk *desk);
/* After the loop has run to its end. NULL is allowed. */
void password_desk_free(PasswordDesk *desk);

PasswordCache *password_desk_cache(PasswordDesk *desk);

/* Nobody is being checked. */
bool password_desk_is_free(const PasswordDesk *desk);

/* Begins the check; the desk is free. `known`: false: the verdict is PASSWORD_WRONG whatever the
   check says. A right login is remembered under the mark. Copies what it needs. */
void password_desk_check(PasswordDesk *desk, const PasswordHash *hash, Bytes password, bool known,
                         const PasswordMark *mark, PasswordAsker *asker);

/* Waits for its turn; the desk is not free. False: too many wait. */
bool password_desk_wait(PasswordDesk *desk, PasswordAsker *asker);

/* It goes away: neither function is called. One that does not wait may be taken back, too. */
void password_desk_take_back(PasswordAsker *asker);

#endif
