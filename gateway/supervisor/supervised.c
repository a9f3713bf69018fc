#include "gateway/supervisor/supervised.h"

#include <limits.h>
#include <stdio.h>

bool supervised_write(const Supervised *child, int file)
{
    return dprintf(file, "child %d %d %d %d %lld %lld\n", child->channel < 0 ? 0 : child->channel,
                   (int)child->pid, child->crash, (int)child->role, (long long)child->began,
                   (long long)child->served) > 0;
}

static bool read_number(Bytes *rest, uint64_t least, uint64_t most, uint64_t *number_out)
{
    Bytes part;
    return bytes_split(rest, ' ', &part) && bytes_to_u64(part, number_out) &&
           *number_out >= least && *number_out <= most;
}

/* Channel 0 stands for one that is closed: that number is never a channel's. */
bool supervised_read(const RollLine *line, Supervised *child_out)
{
    Bytes rest = line->rest;
    uint64_t pid, crash, role, began, served;
    if (!bytes_are(line->word, "child") || line->fd < 0 || !read_number(&rest, 2, INT_MAX, &pid) ||
        !read_number(&rest, 0, INT_MAX, &crash) ||
        !read_number(&rest, ROLE_STARTING, ROLE_DRAINING, &role) ||
        !read_number(&rest, 0, INT64_MAX, &began) || !read_number(&rest, 0, INT64_MAX, &served) ||
        rest.size)
        return false;
    *child_out = (Supervised){.role = (Role)role,
                              .pid = (pid_t)pid,
                              .channel = line->fd ? line->fd : -1,
                              .crash = (int)crash,
                              .began = (int64_t)began,
                              .served = (int64_t)served,
                              .alive = (int64_t)served};
    return true;
}
