/*
 * AdminHost: the host names that the admin listener accepts.
 *
 * The owner of a web page can make its host name resolve to this machine. The browser then treats
 * the admin listener as the page's own origin, and the page can read its responses (DNS rebinding).
 * Such requests have the name in Host. So only names are accepted that others cannot make resolve
 * to this machine. Plain functions.
 */
#ifndef GATEWAY_ADMIN_HOST_H
#define GATEWAY_ADMIN_HOST_H

#include "gateway/config/config.h"

/* Whether `authority`, with or without a port, is the host of config->admin, localhost, an IP
   address (which needs no name server), or one of config->admin_hosts. */
bool admin_host_allowed(const Config *config, Bytes authority);

#endif
