#include "gateway/listen/socket_file.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PERMISSIONS = 07777 };

static bool is_owned(const struct stat *file, const SocketRights *rights)
{
    return (rights->owner == (uid_t)-1 || rights->owner == file->st_uid) &&
           (rights->group == (gid_t)-1 || rights->group == file->st_gid);
}

static bool give(const char *path, const struct stat *file, const SocketRights *rights)
{
    mode_t now = file->st_mode & PERMISSIONS;
    bool owned = is_owned(file, rights);
    if (owned && now == rights->mode)
        return true;
    return chmod(path, now & rights->mode) == 0 &&
           (owned ||
            fchownat(AT_FDCWD, path, rights->owner, rights->group, AT_SYMLINK_NOFOLLOW) == 0) &&
           chmod(path, rights->mode) == 0;
}

Result socket_file_give(Arena *arena, const Address *address, const SocketRights *rights)
{
    struct stat file;
    if (lstat(address->path, &file) != 0 && errno == ENOENT)
        return OK;
    if (S_ISSOCK(file.st_mode) && give(address->path, &file, rights))
        return OK;
    int error = S_ISSOCK(file.st_mode) ? errno : ENOTSOCK;
    return FAIL(arena, FAULT_SYSTEM, "setting owner, group and mode of %s: %s%s", address->text,
                strerror(error),
                error == EPERM ? " (root gives a file to anybody; others only to a group of theirs)"
                               : "");
}
