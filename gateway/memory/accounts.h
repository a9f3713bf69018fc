/*
 * Accounts of clients: one for each client with connections or calls, whatever its loops.
 *
 * A client is an IPv4 address or an IPv6 /64 (fair_client_of), as in the queues for instances; a
 * proved identity has an address that stands for it (identity_place); all peers without an address
 * are one client. There are no more accounts than connections and calls that use them: an account
 * is freed with its last reference. Any thread.
 */
#ifndef GATEWAY_ACCOUNTS_H
#define GATEWAY_ACCOUNTS_H

#include "base/memory/budget.h"
#include "base/net/ip.h"

/* The account of the client at this address; takes a reference, as account_keep does. Never NULL.
   account_close returns it. */
Account *account_open(const IpAddress *address);

/* Whether the account is that of the client at this address. */
bool account_is_of(const Account *account, const IpAddress *address);

/* The number of accounts. */
uint32_t accounts_open(void);

#endif
