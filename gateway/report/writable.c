#include "gateway/report/writable.h"

#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROUPS_MOST = 256, MAY_MAKE = 03 /* write and search */ };

static bool is_in(gid_t group, const struct passwd *user, gid_t own)
{
    gid_t groups[GROUPS_MOST];
    int n = GROUPS_MOST;
    if (getgrouplist(user->pw_name, own, groups, &n) < 0)
        n = 0;
    for (int i = 0; i < n; i++)
        if (groups[i] == group)
            return true;
    return group == own;
}

static bool may_make(const struct stat *folder, const struct passwd *user, gid_t own)
{
    mode_t mode = folder->st_mode;
    if (user->pw_uid == 0)
        return true;
    if (folder->st_uid == user->pw_uid)
        return (mode >> 6 & MAY_MAKE) == MAY_MAKE;
    if (is_in(folder->st_gid, user, own))
        return (mode >> 3 & MAY_MAKE) == MAY_MAKE;
    return (mode & MAY_MAKE) == MAY_MAKE;
}

bool folder_takes_files(const char *file, const char *user, const char *group)
{
    char copy[PATH_MAX];
    struct stat found;
    if (strlen(file) >= sizeof copy)
        return false;
    const char *folder = dirname(strcpy(copy, file));
    if (!user)
        return access(folder, W_OK | X_OK) == 0;
    const struct passwd *who = getpwnam(user);
    const struct group *with = group ? getgrnam(group) : NULL;
    if (!who || (group && !with))
        return true;
    return stat(folder, &found) == 0 && S_ISDIR(found.st_mode) &&
           may_make(&found, who, with ? with->gr_gid : who->pw_gid);
}
