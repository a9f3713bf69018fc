/*
 * SameOrigin: whether a request in a browser comes from a page of this listener.
 *
 * A page of another site can make a browser send requests here, with the password or certificate
 * that the browser has: so it must not act (CSRF). Browsers say where a request comes from, and no
 * page can change that:
 *
 *      Sec-Fetch-Site   Origin            may act
 *      same-origin                        yes: a page of ours
 *      none                               yes: the user, by hand
 *      anything else                      no
 *      absent           ours              yes: an older browser, or one without TLS
 *      absent           another, "null"   no
 *      absent           absent            yes: no browser
 *
 * A name that somebody else made resolve to this machine would be of the same origin: admin_host.h
 * refuses it before. Plain functions.
 */
#ifndef GATEWAY_SAME_ORIGIN_H
#define GATEWAY_SAME_ORIGIN_H

#include "base/bytes.h"

/* What a request says; data NULL: it has no such field. */
typedef struct OriginSaid {
    Bytes sec_fetch_site;
    Bytes origin;    /* "https://gw1.internal:9901" */
    Bytes authority; /* of Host: "gw1.internal:9901" */
    bool tls;        /* of the connection */
} OriginSaid;

bool is_same_origin(const OriginSaid *said);

#endif
