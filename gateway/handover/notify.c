#include "gateway/handover/notify.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "gateway/handover/channel.h"
#include "gateway/handover/handover.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct {
    struct sockaddr_un name;
    socklen_t size; /* 0: nobody listens */
    int fd;
    int64_t watchdog;
} manager = {.fd = -1};

/* "/run/..." or "@abstract". */
static void read_name(const char *path)
{
    size_t size = path ? strlen(path) : 0;
    if (size < 2 || size >= sizeof manager.name.sun_path || (*path != '/' && *path != '@'))
        return;
    manager.name.sun_family = AF_UNIX;
    memcpy(manager.name.sun_path, path, size);
    if (*path == '@')
        manager.name.sun_path[0] = 0;
    manager.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

void notify_begin(void)
{
    uint64_t micros = 0;
    const char *text = getenv("WATCHDOG_USEC");
    read_name(getenv("NOTIFY_SOCKET"));
    if (text && bytes_to_u64(bytes_of(text), &micros) && micros < INT64_MAX / 1000)
        manager.watchdog = (int64_t)micros * 1000;
    if (manager.size)
        manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void notify_send(const char *lines)
{
    Bytes text = bytes_of(lines);
    if (handover_supervised()) /* systemd listens to its own child only */
        channel_send(handover_channel(), NOTICE_NOTIFY, text, NULL, 0);
    else if (manager.fd >= 0)
        sendto(manager.fd, text.data, text.size, MSG_NOSIGNAL,
               (const struct sockaddr *)&manager.name, manager.size);
}

/* CLOCK_MONOTONIC is the clock of systemd, too. */
void notify_reloading(void)
{
    struct timespec now;
    char lines[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_send(lines);
}

int64_t notify_watchdog(void)
{
    return manager.fd >= 0 ? manager.watchdog : 0;
}
