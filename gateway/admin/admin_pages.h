/*
 * AdminPages: what there is under the paths of the admin listener, for whom, and where it comes
 * from.
 *
 * Nearly all of it is JSON, which is made without a request: so it can be sent to whoever asks, and
 * to those who watch it (gateway/page/live.h). On the admin's thread.
 */
#ifndef GATEWAY_ADMIN_PAGES_H
#define GATEWAY_ADMIN_PAGES_H

#include "gateway/admin/admin.h"
#include "gateway/admin/operator.h"

#include <h2o.h>

typedef struct Asking Asking;

typedef enum PageUse {
    PAGE_READ,  /* by GET */
    PAGE_ACT,   /* by POST, with a body or none */
    PAGE_ORDER, /* by POST, with a query */
} PageUse;

typedef struct AdminPage {
    const char *path; /* "*": one segment; that ends with a slash: of all right beneath it, but for
                         itself; with "**": of all beneath it */
    PageUse use;
    OperatorRole role;         /* that it needs */
    const char *without_store; /* what is said where there is no store; NULL: it needs none */
    bool tells_who;            /* what it says is of the operator: a password is checked */

    /* One of these. JSON, made here at once, or by the main thread; what is not JSON, or not in one
       piece, responds itself. */
    void (*write)(const AdminSees *sees, const Config *config, Bytes query, Buffer *out);
    AdminDoing doing;
    void (*respond)(const Asking *asking);
} AdminPage;

/* By the path of a request, normalized. NULL: there is none. */
const AdminPage *admin_page_find(Bytes path);

/* Adds the paths, each after a space. */
void admin_pages_name(Buffer *out);

/* It can be watched: it is JSON, and read. */
bool admin_page_is_json(const AdminPage *page);

/* What is asked of a page. All is borrowed. */
typedef struct AdminQuestion {
    Bytes path, query, body, why;
    const Operator *who;
} AdminQuestion;

/* An action that is not begun; its `on_done` and `owner` are still to be set. */
AdminAction *admin_page_action(Admin *admin, const AdminPage *page, const AdminQuestion *question);

/* It is done, maybe before this returns. `admin` has not stopped. */
void admin_page_ask(Admin *admin, const AdminPage *page, AdminAction *action);

/* Of one that is done: the status of HTTP, and, unless it is 200, what is told of the failure. */
int admin_action_status(const AdminAction *action);
const char *admin_action_detail(const AdminAction *action);

#endif
