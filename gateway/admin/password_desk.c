#include "gateway/admin/password_desk.h"

#include "base/clock.h"
#include "gateway/thread/chore.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* What the thread has. */
typedef struct Check {
    PasswordDesk *desk; /* not the thread's */
    PasswordHash hash;
    uint8_t password[PASSWORD_BYTES_MOST];
    size_t size;
    bool known;
    PasswordMark mark;
    PasswordVerdict verdict;
} Check;

struct PasswordDesk {
    uv_loop_t *loop;
    PasswordCache *cache;
    Chore *chore;         /* the check; NULL: none */
    PasswordAsker *asker; /* of the check; NULL: it has gone */
    PasswordAsker *first, **end;
    uint32_t n_waiting;
};

PasswordDesk *password_desk_new(uv_loop_t *loop)
{
    PasswordDesk *desk = calloc(1, sizeof *desk);
    CHECK(desk);
    desk->loop = loop;
    desk->cache = password_cache_new();
    desk->end = &desk->first;
    return desk;
}

void password_desk_close(PasswordDesk *desk)
{
    PasswordAsker *asker;
    while (desk && (asker = desk->asker ? desk->asker : desk->first)) {
        password_desk_take_back(asker);
        asker->on_closed(asker);
    }
}

void password_desk_free(PasswordDesk *desk)
{
    if (!desk)
        return;
    CHECK(!desk->chore && !desk->first);
    password_cache_free(desk->cache);
    free(desk);
}

PasswordCache *password_desk_cache(PasswordDesk *desk)
{
    return desk->cache;
}

bool password_desk_is_free(const PasswordDesk *desk)
{
    return !desk->chore;
}

/* ---- The check ------------------------------------------------------------------------------- */

static void run_check(void *owner)
{
    Check *check = owner;
    check->verdict = password_hash_check(&check->hash, bytes(check->password, check->size));
    if (!check->known && check->verdict == PASSWORD_RIGHT)
        check->verdict = PASSWORD_WRONG;
}

static void free_check(Check *check)
{
    OPENSSL_cleanse(check, sizeof *check);
    free(check);
}

static PasswordAsker *take_first(PasswordDesk *desk)
{
    PasswordAsker *asker = desk->first;
    password_desk_take_back(asker);
    return asker;
}

/* Those whose turn it is may find that they need no check: then it is the next one's. */
static void serve(PasswordDesk *desk)
{
    while (desk->first && password_desk_is_free(desk)) {
        PasswordAsker *asker = take_first(desk);
        asker->on_turn(asker);
    }
}

static void on_checked(void *owner)
{
    Check *check = owner;
    PasswordDesk *desk = check->desk;
    PasswordAsker *asker = desk->asker;
    PasswordVerdict verdict = check->verdict;
    if (verdict == PASSWORD_RIGHT)
        password_cache_add(desk->cache, &check->mark, clock_now());
    free_check(check);
    desk->chore = NULL;
    desk->asker = NULL;
    if (asker) {
        asker->desk = NULL;
        asker->on_verdict(asker, verdict);
    }
    serve(desk);
}

static void on_refused(void *owner)
{
    Check *check = owner;
    check->verdict = PASSWORD_NO_THREAD;
    on_checked(check);
}

void password_desk_check(PasswordDesk *desk, const PasswordHash *hash, Bytes password, bool known,
                         const PasswordMark *mark, PasswordAsker *asker)
{
    CHECK(!desk->chore && !asker->desk && password.size <= PASSWORD_BYTES_MOST);
    Check *check = calloc(1, sizeof *check);
    CHECK(check);
    check->desk = desk;
    check->hash = *hash;
    memcpy(check->password, password.data, password.size);
    check->size = password.size;
    check->known = known;
    check->mark = *mark;
    asker->desk = desk;
    desk->asker = asker;
    desk->chore = chore_start(desk->loop, &(ChoreWork){.run = run_check,
                                                       .on_done = on_checked,
                                                       .on_refused = on_refused,
                                                       .owner = check});
}

/* ---- The row --------------------------------------------------------------------------------- */

bool password_desk_wait(PasswordDesk *desk, PasswordAsker *asker)
{
    CHECK(!asker->desk && desk->chore);
    if (desk->n_waiting == PASSWORD_WAITING_MOST)
        return false;
    asker->desk = desk;
    asker->next = NULL;
    *desk->end = asker;
    desk->end = &asker->next;
    desk->n_waiting++;
    return true;
}

void password_desk_take_back(PasswordAsker *asker)
{
    PasswordDesk *desk = asker->desk;
    if (!desk)
        return;
    asker->desk = NULL;
    if (desk->asker == asker) {
        desk->asker = NULL;
        return;
    }
    PasswordAsker **at = &desk->first;
    while (*at != asker)
        at = &(*at)->next;
    *at = asker->next;
    if (desk->end == &asker->next)
        desk->end = at;
    desk->n_waiting--;
}
