/*
 * Operator: who asks the admin listener, and what that allows.
 *
 *      unix socket    the gateway's own user and root: `operate`; nobody else, whatever the mode of
 *                     the file is (SO_PEERCRED), unless the config says who may connect
 *      certificate    a verified one whose name the config lists: the role there
 *      token          Authorization: Bearer; the config lists its SHA-256 and a role
 *      password       Authorization: Basic; the config lists its Argon2id hash (password_desk.h)
 *      otherwise      a guest: only pages for everybody
 *
 * Plain functions on the admin's thread.
 */
#ifndef GATEWAY_OPERATOR_H
#define GATEWAY_OPERATOR_H

#include "gateway/config/config.h"

typedef struct Operator {
    OperatorRole role;
    const char *name; /* "uid 0", or as the config names it; NULL: a guest */
    const char *by;   /* "socket", "certificate", "token", "password"; NULL: a guest */
} Operator;

/* What a request brings. */
typedef struct OperatorProof {
    int unix_fd;   /* of a connection on a unix socket; else -1 */
    bool admitted; /* there: the config says who may connect, and the kernel lets in nobody else */
    const CertificateNames *certificate; /* of the peer, verified; or NULL */
    Bytes authorization;                 /* the request field, or empty */
} OperatorProof;

/* Who it is; the name lives in `arena` or in the config. False: a stranger on the unix socket, to
   whom nothing is shown; then the name is that of the user. */
bool operator_find(const Config *config, const OperatorProof *proof, Arena *arena,
                   Operator *operator_out);

/* Of those who have a password: the one with that name, the one at an index; NULL: there is none.
   And how many there are. */
const OperatorConfig *operator_with_password(const Config *config, Bytes name);
const OperatorConfig *operator_password_at(const Config *config, uint32_t at);
uint32_t operator_passwords(const Config *config);

/* "read", "operate". */
const char *operator_role_name(OperatorRole role);

#endif
