#include "gateway/supervisor/shelf.h"

#include "gateway/handover/roll.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool shelf_add(Shelf *shelf, Bytes name, int fd)
{
    if (shelf->n == SHELF_SIZE || !roll_name(name)) {
        close(fd);
        return false;
    }
    ShelfEntry *entry = &shelf->entries[shelf->n++];
    entry->fd = fd;
    memcpy(entry->name, name.data, name.size);
    entry->name[name.size] = 0;
    return true;
}

static bool has_name(const ShelfEntry *entry, Bytes name)
{
    return bytes_are(name, entry->name);
}

static bool is_socket(const ShelfEntry *entry, Bytes unused)
{
    struct stat info;
    (void)unused;
    return fstat(entry->fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

static void drop_where(Shelf *shelf, bool (*matches)(const ShelfEntry *entry, Bytes name),
                       Bytes name)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shelf->n; i++) {
        if (matches(&shelf->entries[i], name))
            close(shelf->entries[i].fd);
        else if (kept++ != i)
            shelf->entries[kept - 1] = shelf->entries[i];
    }
    shelf->n = kept;
}

void shelf_drop(Shelf *shelf, Bytes name)
{
    drop_where(shelf, has_name, name);
}

void shelf_drop_sockets(Shelf *shelf)
{
    drop_where(shelf, is_socket, BYTES_NONE);
}

bool shelf_write(const Shelf *shelf, int file)
{
    bool written = true;
    for (uint32_t i = 0; i < shelf->n; i++)
        written &= dprintf(file, "kept %d %s\n", shelf->entries[i].fd, shelf->entries[i].name) > 0;
    return written;
}

void shelf_pass_on(const Shelf *shelf, bool pass)
{
    for (uint32_t i = 0; i < shelf->n; i++)
        fcntl(shelf->entries[i].fd, F_SETFD, pass ? 0 : FD_CLOEXEC);
}
