/*
 * Asset: a file of the operators' web page, built into the program.
 *
 * gateway/page/web/ holds the files; gateway/page/embed_assets.py makes the table of all that are
 * there. They hold nothing about this gateway, so they are for everybody. Read-only; any thread.
 */
#ifndef GATEWAY_ASSET_H
#define GATEWAY_ASSET_H

#include "base/bytes.h"

typedef struct Asset {
    const char *path; /* "/page/views/jobs.js" */
    const char *media_type;
    const char *tag; /* of its content: a weak entity tag of HTTP: W/"..." */
    Bytes content;
    Bytes gzip; /* of the content; empty: it would not be smaller */
} Asset;

/* By path; gateway/page/embed_assets.py makes them. */
extern const Asset assets[];
extern const size_t n_assets;

/* What a browser may do with the page: load from this listener, and nothing else; be in no other
   page's frame; never make code of text. */
#define ASSET_POLICY                                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "                    \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "            \
    "require-trusted-types-for 'script'; trusted-types 'none'"

/* Of the path of a request; "/" is the page itself. NULL: there is none. */
const Asset *asset_find(Bytes path);

/* Whether If-None-Match names the content, or anything: "*". Weak tags are as good (RFC 9110
   section 13.1.2). */
bool asset_is_known(const Asset *asset, Bytes if_none_match);

#endif
