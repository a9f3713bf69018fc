/*
 * AdminPage: a page of a running gateway, printed for people: once, or with --watch.
 */
#ifndef GATEWAY_ADMIN_PAGE_H
#define GATEWAY_ADMIN_PAGE_H

#include "gateway/commands/admin_client.h"

/* Writes the page, with at most `limit` rows in each of its tables. False: it is no such page. */
typedef bool AdminPageWriter(Buffer *out, Bytes page, uint64_t limit);

/*
 * Asks for the page and prints it, with as many rows as --limit says; with --watch again and again,
 * every two seconds, also while a gateway that was there is away. Gives an exit code.
 */
int admin_page_show(const CommandLine *line, const char *path, AdminPageWriter *write);

#endif
