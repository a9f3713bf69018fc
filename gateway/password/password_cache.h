/*
 * PasswordCache: logins that were right a moment ago, so that who asks every few seconds does not
 * cost tens of megabytes each time.
 *
 * Of a login only a keyed hash is kept, over its user, its password and the hash that the config
 * has: with another hash in the config it is forgotten. The key is the process's own and random. It
 * has PASSWORD_CACHE_MOST logins; the next one takes the place of the oldest. One thread. Time is
 * passed in: clock_now.
 */
#ifndef GATEWAY_PASSWORD_CACHE_H
#define GATEWAY_PASSWORD_CACHE_H

#include "gateway/password/password_hash.h"

enum { PASSWORD_CACHE_MOST = 64, PASSWORD_MARK_SIZE = 32 };

/* User and password, as a client has sent them. */
typedef struct PasswordLogin {
    Bytes user, password;
} PasswordLogin;

/* What is kept of a login. */
typedef struct PasswordMark {
    uint8_t bytes[PASSWORD_MARK_SIZE];
} PasswordMark;

typedef struct PasswordCache PasswordCache;

PasswordCache *password_cache_new(void);
/* NULL is allowed. */
void password_cache_free(PasswordCache *cache);

/* Reads "Basic ..." (RFC 7617) into the arena. False: it is something else, or malformed; which one
   it is says `is_basic_out`. */
bool password_login_read(Arena *arena, Bytes authorization, PasswordLogin *out, bool *is_basic_out);

PasswordMark password_cache_mark(const PasswordCache *cache, const PasswordLogin *login,
                                 const PasswordHash *hash);

/* Whether it was right, and not longer than `keep` ago. */
bool password_cache_has(const PasswordCache *cache, const PasswordMark *mark, int64_t keep,
                        int64_t now);

/* It is right. */
void password_cache_add(PasswordCache *cache, const PasswordMark *mark, int64_t now);

/* A number below `n`, the same for a user each time, which nobody can foresee. For a user who is
   unknown: as whom the check pretends to take it, so that the time tells nothing. */
uint32_t password_cache_stand_in(const PasswordCache *cache, Bytes user, uint32_t n);

#endif
