/*
 * PasswordHash: what is kept of a password, so that whoever reads it still has to guess.
 *
 *      $argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0$Yv4...    (the PHC string format)
 *                     KiB      |   |  salt             hash
 *                        passes   lanes
 *
 * Argon2id (RFC 9106), computed by libargon2. Its cost is in the text, so it is bounded: from what
 * OWASP asks for at least to what a gateway can spare. Plain functions; any thread.
 */
#ifndef GATEWAY_PASSWORD_HASH_H
#define GATEWAY_PASSWORD_HASH_H

#include "base/bytes.h"
#include "base/result.h"

enum {
    PASSWORD_BYTES_MOST = 512, /* of a password */
    PASSWORD_BYTES_LEAST = 8,  /* of a new one (NIST SP 800-63B, 5.1.1.2) */

    PASSWORD_MEMORY_LEAST = 7 << 10, /* KiB */
    PASSWORD_MEMORY_MOST = 256 << 10,
    PASSWORD_PASSES_MOST = 16,
    PASSWORD_LANES_MOST = 16,
    /* Memory in KiB times passes: OWASP's Password Storage Cheat Sheet asks for 7 MiB with 5 passes
       at least; more than 1 GiB in all would take seconds. */
    PASSWORD_WORK_LEAST = 5 * PASSWORD_MEMORY_LEAST,
    PASSWORD_WORK_MOST = 1 << 20,

    PASSWORD_SALT_LEAST = 8,
    PASSWORD_HASH_LEAST = 16,
    PASSWORD_PART_MOST = 64, /* bytes of a salt, and of a hash */
};

/* A value: it can be copied. */
typedef struct PasswordHash {
    uint32_t memory; /* KiB */
    uint32_t passes, lanes;
    uint32_t salt_size, hash_size;
    uint8_t salt[PASSWORD_PART_MOST], hash[PASSWORD_PART_MOST]; /* then zeros */
} PasswordHash;

typedef enum PasswordVerdict {
    PASSWORD_WRONG,
    PASSWORD_RIGHT,
    PASSWORD_NO_MEMORY, /* it could not be found out */
    PASSWORD_NO_THREAD, /* likewise, not by password_hash_check */
} PasswordVerdict;

/* Reads the text. Fault: BAD_VALUE, which says what is wrong, without any of salt and hash. */
MUST_USE Result password_hash_read(Arena *arena, Bytes text, PasswordHash *out);

/* Of a new password, with a salt of the system's random numbers: 64 MiB, 3 passes, 1 lane. Fault:
   OUT_OF_MEMORY. */
MUST_USE Result password_hash_make(Arena *arena, Bytes password, PasswordHash *out);

/* The text of it. */
void password_hash_write(const PasswordHash *hash, Buffer *out);

/* Whether the password is the one. Takes as long, and as much memory, as the hash says, on this
   thread alone; a password that is too long is wrong at once. */
PasswordVerdict password_hash_check(const PasswordHash *hash, Bytes password);

#endif
