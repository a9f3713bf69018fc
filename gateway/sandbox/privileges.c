#include "gateway/sandbox/privileges.h"

#include "base/arena.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct __user_cap_header_struct CapabilityHeader;
typedef struct __user_cap_data_struct CapabilityWords;

static Result system_error(Arena *arena, const char *doing)
{
    return FAIL(arena, FAULT_SYSTEM, "sandbox: %s: %s", doing, strerror(errno));
}

/* ---- Users and groups ------------------------------------------------------------------------ */

typedef struct Ids {
    uid_t user;
    gid_t group;
} Ids;

static Result find_ids(Arena *arena, const char *user, const char *group, Ids *ids_out)
{
    const struct passwd *found = getpwnam(user);
    if (!found)
        return FAIL(arena, FAULT_SYSTEM, "sandbox: there is no user %s", user);
    *ids_out = (Ids){found->pw_uid, found->pw_gid};
    const struct group *other = group ? getgrnam(group) : NULL;
    if (group && !other)
        return FAIL(arena, FAULT_SYSTEM, "sandbox: there is no group %s", group);
    if (other)
        ids_out->group = other->gr_gid;
    return OK;
}

static Result become(Arena *arena, const char *user, const char *group)
{
    Ids ids = {0, 0};
    Result r = find_ids(arena, user, group, &ids);
    if (failed(r) || (ids.user == geteuid() && ids.group == getegid()))
        return r;
    if (geteuid() != 0)
        return FAIL(arena, FAULT_SYSTEM, "sandbox: only root can become %s", user);
    /* Capabilities stay for drop_capabilities, which keeps one of them. */
    if (prctl(PR_SET_KEEPCAPS, 1) != 0 || initgroups(user, ids.group) != 0 ||
        setresgid(ids.group, ids.group, ids.group) != 0 ||
        setresuid(ids.user, ids.user, ids.user) != 0)
        return system_error(arena, "changing the user");
    return OK;
}

/* ---- Capabilities ---------------------------------------------------------------------------- */

/* Programs that it cannot start anyway would not get them either. Without CAP_SETPCAP it cannot,
   and there is nothing that could be passed on. */
static void drop_bounds(void)
{
    for (unsigned long one = 0; prctl(PR_CAPBSET_READ, one) >= 0; one++)
        if (prctl(PR_CAPBSET_DROP, one) != 0)
            return;
}

/* A reload may open ports below 1024. */
static Result drop_capabilities(Arena *arena)
{
    CapabilityHeader header = {.version = _LINUX_CAPABILITY_VERSION_3};
    CapabilityWords words[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, words) != 0)
        return system_error(arena, "reading capabilities");
    uint32_t kept = words[0].permitted & (1u << CAP_NET_BIND_SERVICE);
    words[0] = (CapabilityWords){.permitted = kept, .effective = kept};
    words[1] = (CapabilityWords){0};
    if (syscall(SYS_capset, &header, words) != 0)
        return system_error(arena, "dropping capabilities");
    return OK;
}

Result privileges_drop(Arena *arena, const char *user, const char *group)
{
    drop_bounds();
    Result r = user ? become(arena, user, group) : OK;
    if (!failed(r))
        r = drop_capabilities(arena);
    if (failed(r))
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return system_error(arena, "forbidding new privileges");
    /* Its memory has keys: there are no core files of it, and others cannot trace it. A backtrace
       of a crash needs neither. */
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        return system_error(arena, "forbidding core files");
    return OK;
}

/* ---- For a while ----------------------------------------------------------------------------- */

enum { GROUPS_MOST = 65536 }; /* NGROUPS_MAX of Linux */

bool privileges_try(const char *user, const char *group, void (*act)(void *owner), void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    gid_t *groups = arena_array(arena, gid_t, GROUPS_MOST), own = getegid();
    int n = geteuid() == 0 ? getgroups(GROUPS_MOST, groups) : -1;
    Ids ids = {0, 0};
    bool can = n >= 0 && !failed(find_ids(arena, user, group, &ids)) &&
               initgroups(user, ids.group) == 0 && setegid(ids.group) == 0 &&
               seteuid(ids.user) == 0;
    if (can)
        act(owner);
    /* The saved user is root still: so it gets all of it back. */
    if (n >= 0)
        CHECK(seteuid(0) == 0 && setegid(own) == 0 && setgroups((size_t)n, groups) == 0);
    arena_free(arena);
    return can;
}
