/*
 * AdminHost: the host names for which the admin listener answers.
 *
 * The owner of a web page can make its name resolve to this machine; the page may then read what
 * answers under that name, for its browser that is the page's own origin (DNS rebinding). Such
 * requests carry the name in Host. So requests are answered only for names that others cannot make
 * resolve to this machine. Plain functions.
 */
#ifndef GATEWAY_ADMIN_HOST_H
#define GATEWAY_ADMIN_HOST_H

#include "gateway/config/config.h"

/* Whether `authority`, with or without a port, is the host of config->admin, localhost, an IP
   address (which needs no name server), or one of config->admin_hosts. */
bool admin_host_allowed(const Config *config, Bytes authority);

#endif
