/*
 * AdminPage: a page of a running gateway, printed for people: once, or with --watch.
 */
#ifndef GATEWAY_ADMIN_PAGE_H
#define GATEWAY_ADMIN_PAGE_H

#include "adapters/text/json.h"
#include "gateway/commands/admin_client.h"

/* Writes the page, with at most `limit` rows in each of its tables. False: it is no such page. */
typedef bool AdminPageWriter(Buffer *out, Bytes page, uint64_t limit);

/*
 * Asks for the page and prints it, with as many rows as --limit says; with --watch again and again,
 * every two seconds, also while a gateway that was there is away. Gives an exit code.
 */
int admin_page_show(const CommandLine *line, const char *path, AdminPageWriter *write);

/* The page, or an answer of the gateway; a null of JSON, which has no members, if it is no JSON. In
   the arena. */
const JsonNode *admin_page_read(Arena *arena, Bytes page);

/* At most `limit` rows, and how many more there are. */
void admin_page_add_rows(Buffer *out, const JsonNode *rows, uint64_t limit,
                         void (*add)(Buffer *out, const JsonNode *row));

/* Whether it is the id of a kind of failures, a signal or an entry: 16 hexadecimal digits. */
bool admin_page_is_id(const char *text);

#endif
