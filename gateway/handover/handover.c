#include "gateway/handover/handover.h"

#include "base/arena.h"
#include "base/file/memory_file.h"
#include "base/result.h"
#include "gateway/handover/channel.h"
#include "gateway/handover/roll.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BLOBS = 32, ROLL_MOST = 1 << 20, SYSTEMD_FIRST = 3, SYSTEMD_MOST = 1024 };

/* Of a blob, so that no listener has its name. */
#define BLOB_PREFIX "blob "

/* A descriptor of the process before that nobody has taken yet. */
typedef struct Kept {
    struct Kept *next;
    int fd;
    char name[CHANNEL_NAME];
} Kept;

/* Sockets of which the supervisor learns when this process serves; 0: none has the name. */
typedef struct Unsettled {
    struct Unsettled *next;
    char name[CHANNEL_NAME];
    uint32_t n;
    int fds[];
} Unsettled;

typedef struct Blob {
    const char *name; /* NULL: free */
    void (*write)(void *owner, Buffer *out);
    void *owner;
    bool changed;
} Blob;

static struct {
    pthread_mutex_t mutex; /* of what follows, except the first two lines */
    int channel, crash;
    bool succeeds, replaces;
    atomic_bool settled;
    Kept *kept;
    Unsettled *unsettled;
    Blob blobs[BLOBS];
    void (*wake)(void *owner);
    void *owner;
    atomic_bool given;
} here = {.mutex = PTHREAD_MUTEX_INITIALIZER, .channel = -1, .crash = -1};

static void lock(void)
{
    pthread_mutex_lock(&here.mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&here.mutex);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static bool close_on_exec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static void add_kept(int fd, Bytes name)
{
    Kept *kept = calloc(1, sizeof *kept);
    CHECK(kept);
    kept->fd = fd;
    memcpy(kept->name, name.data, name.size);
    kept->next = here.kept;
    here.kept = kept;
}

static void read_line(const RollLine *line)
{
    if (bytes_are(line->word, "successor"))
        here.succeeds = here.replaces = true;
    else if (bytes_are(line->word, "replaces"))
        here.replaces = true;
    else if (line->fd < 0 || !close_on_exec(line->fd))
        return;
    else if (bytes_are(line->word, "channel"))
        here.channel = line->fd;
    else if (bytes_are(line->word, "crash"))
        here.crash = line->fd;
    else if (bytes_are(line->word, "kept") && roll_name(line->rest))
        add_kept(line->fd, line->rest);
}

static void read_roll(int fd)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes rest = memory_file_read(arena, fd, ROLL_MOST);
    for (RollLine line; roll_next(&rest, &line);)
        read_line(&line);
    arena_free(arena);
    close(fd);
}

/* The number in a variable, which is removed; -1: there is none. */
static int64_t take_number(const char *variable)
{
    uint64_t number = 0;
    const char *text = getenv(variable);
    bool is = text && bytes_to_u64(bytes_of(text), &number) && number <= INT32_MAX;
    unsetenv(variable);
    return is ? (int64_t)number : -1;
}

/* sd_listen_fds(3). Names are for people: sockets are known by their addresses. */
static void read_systemd(void)
{
    int64_t pid = take_number("LISTEN_PID"), n = take_number("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (pid != getpid())
        return;
    for (int fd = SYSTEMD_FIRST; fd < SYSTEMD_FIRST + (n < SYSTEMD_MOST ? n : SYSTEMD_MOST); fd++)
        if (close_on_exec(fd))
            add_kept(fd, bytes_of("systemd"));
}

void handover_begin(void)
{
    int64_t roll = take_number(ROLL_VARIABLE);
    if (roll >= 0)
        read_roll((int)roll);
    else
        read_systemd();
}

bool handover_supervised(void)
{
    return here.channel >= 0;
}

bool handover_succeeds(void)
{
    return here.succeeds;
}

bool handover_replaces(void)
{
    return here.replaces;
}

int handover_channel(void)
{
    return here.channel;
}

int handover_crash_file(void)
{
    return here.crash;
}

static void tell(NoticeKind kind, const char *name, const int *fds, uint32_t n)
{
    if (here.channel >= 0)
        channel_send(here.channel, kind, bytes_of(name), fds, n);
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

static const char *blob_name(const char *name, char text[CHANNEL_NAME])
{
    snprintf(text, CHANNEL_NAME, BLOB_PREFIX "%s", name);
    return text;
}

static Kept *unlink_kept(Kept **at)
{
    Kept *kept = *at;
    *at = kept->next;
    return kept;
}

Bytes handover_take(const char *name, Arena *arena)
{
    char text[CHANNEL_NAME];
    Bytes blob = BYTES_NONE;
    blob_name(name, text);
    lock();
    for (Kept **at = &here.kept; *at; at = &(*at)->next) {
        if (strcmp((*at)->name, text) != 0)
            continue;
        Kept *kept = unlink_kept(at);
        blob = memory_file_read(arena, kept->fd, HANDOVER_BLOB);
        close(kept->fd);
        free(kept);
        break;
    }
    unlock();
    return blob;
}

static Blob *find_blob(const char *name)
{
    for (int i = 0; i < BLOBS; i++)
        if (here.blobs[i].name && strcmp(here.blobs[i].name, name) == 0)
            return &here.blobs[i];
    return NULL;
}

void handover_offer(const char *name, void (*write)(void *owner, Buffer *out), void *owner)
{
    lock();
    Blob *blob = find_blob(name);
    for (int i = 0; i < BLOBS && !blob; i++)
        if (!here.blobs[i].name)
            blob = &here.blobs[i];
    CHECK(blob);
    *blob = (Blob){name, write, owner, false};
    unlock();
}

void handover_withdraw(const char *name)
{
    lock();
    Blob *blob = find_blob(name);
    if (blob)
        *blob = (Blob){NULL};
    unlock();
}

void handover_changed(const char *name)
{
    lock();
    Blob *blob = find_blob(name);
    if (blob)
        blob->changed = true;
    if (blob && here.wake && here.channel >= 0)
        here.wake(here.owner);
    unlock();
}

void handover_drop(const char *name)
{
    char text[CHANNEL_NAME];
    tell(NOTICE_DROP, blob_name(name, text), NULL, 0);
}

void handover_wake_by(void (*wake)(void *owner), void *owner)
{
    lock();
    here.wake = wake;
    here.owner = owner;
    unlock();
}

static void keep_blob(const Blob *blob)
{
    char name[CHANNEL_NAME];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    blob->write(blob->owner, &text);
    blob_name(blob->name, name);
    int fd = text.size && text.size <= HANDOVER_BLOB
                 ? memory_file_make(blob->name, buffer_bytes(&text))
                 : -1;
    if (fd >= 0) {
        tell(NOTICE_KEEP, name, &fd, 1);
        close(fd);
    } else if (!text.size) {
        tell(NOTICE_DROP, name, NULL, 0);
    }
    arena_free(arena);
}

/* The mutex is not held while somebody else's code runs. */
static void write_blobs(bool all)
{
    for (int i = 0; i < BLOBS && here.channel >= 0; i++) {
        lock();
        Blob blob = here.blobs[i];
        here.blobs[i].changed = false;
        unlock();
        if (blob.name && (all || blob.changed))
            keep_blob(&blob);
    }
}

void handover_write_changed(void)
{
    write_blobs(false);
}

void handover_write_all(void)
{
    write_blobs(true);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static bool same_v4(const struct sockaddr_in *a, const struct sockaddr_in *wanted)
{
    return a->sin_addr.s_addr == wanted->sin_addr.s_addr &&
           (!wanted->sin_port || a->sin_port == wanted->sin_port);
}

static bool same_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *wanted)
{
    return memcmp(&a->sin6_addr, &wanted->sin6_addr, sizeof a->sin6_addr) == 0 &&
           a->sin6_scope_id == wanted->sin6_scope_id &&
           (!wanted->sin6_port || a->sin6_port == wanted->sin6_port);
}

static bool same_unix(const struct sockaddr_un *a, const struct sockaddr_un *wanted)
{
    return strncmp(a->sun_path, wanted->sun_path, sizeof a->sun_path) == 0;
}

/* Port 0 is any. */
static bool same_address(const struct sockaddr_storage *a, const struct sockaddr *wanted)
{
    if (a->ss_family != wanted->sa_family)
        return false;
    switch (a->ss_family) {
    case AF_INET: return same_v4((const void *)a, (const void *)wanted);
    case AF_INET6: return same_v6((const void *)a, (const void *)wanted);
    case AF_UNIX: return same_unix((const void *)a, (const void *)wanted);
    default: return false;
    }
}

static bool has_port(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_port != 0;
    return address->sa_family != AF_INET6 || ((const struct sockaddr_in6 *)address)->sin6_port != 0;
}

static bool listens(int fd)
{
    int is = 0;
    socklen_t size = sizeof is;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &size) == 0 && is;
}

static bool listens_at(const Kept *kept, const struct sockaddr *wanted, const char *name)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    return getsockname(kept->fd, (struct sockaddr *)&at, &size) == 0 && same_address(&at, wanted) &&
           (has_port(wanted) || strcmp(kept->name, name) == 0) && listens(kept->fd);
}

static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static void tell_sockets(const char *name, const int *fds, uint32_t n)
{
    if (n == 0)
        tell(NOTICE_DROP, name, NULL, 0);
    for (uint32_t i = 0; i < n; i += CHANNEL_FDS)
        tell(i ? NOTICE_MORE : NOTICE_KEEP, name, fds + i,
             n - i < CHANNEL_FDS ? n - i : CHANNEL_FDS);
}

static void tell_later(const char *name, const int *fds, uint32_t n)
{
    Unsettled *later = calloc(1, sizeof *later + n * sizeof *fds);
    CHECK(later);
    snprintf(later->name, sizeof later->name, "%s", name);
    for (uint32_t i = 0; i < n; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (copy >= 0)
            later->fds[later->n++] = copy;
    }
    Unsettled **at = &here.unsettled;
    while (*at)
        at = &(*at)->next;
    *at = later;
}

int handover_take_socket(const struct sockaddr *address, socklen_t size, const char *name)
{
    int fd = -1;
    lock();
    for (Kept **at = &here.kept; *at && fd < 0;) {
        if (!listens_at(*at, address, name)) {
            at = &(*at)->next;
            continue;
        }
        Kept *kept = unlink_kept(at);
        fd = set_nonblocking(kept->fd) ? kept->fd : -1;
        if (fd < 0)
            close(kept->fd);
        if (strcmp(kept->name, name) != 0)
            tell_later(kept->name, NULL, 0); /* it gets another name */
        free(kept);
    }
    unlock();
    return fd;
}

void handover_keep_sockets(const char *name, const int *fds, uint32_t n)
{
    if (here.channel < 0 || !roll_name(bytes_of(name)))
        return;
    lock();
    if (here.settled)
        tell_sockets(name, fds, n);
    else
        tell_later(name, fds, n);
    unlock();
}

static void settle(Unsettled *later)
{
    tell_sockets(later->name, later->fds, later->n);
    for (uint32_t i = 0; i < later->n; i++)
        close(later->fds[i]);
    free(later);
}

/* Blobs stay: their owners may come with a later config. A socket may have the name of one that was
   taken, of which the supervisor has been told by now. */
static void close_rest(void)
{
    for (Kept **at = &here.kept; *at;) {
        if (strncmp((*at)->name, BLOB_PREFIX, strlen(BLOB_PREFIX)) == 0) {
            at = &(*at)->next;
            continue;
        }
        Kept *kept = unlink_kept(at);
        close(kept->fd);
        free(kept);
    }
}

static void drop_untaken(void)
{
    for (const Kept *kept = here.kept; kept; kept = kept->next)
        if (strncmp(kept->name, BLOB_PREFIX, strlen(BLOB_PREFIX)) != 0)
            tell(NOTICE_DROP, kept->name, NULL, 0);
}

void handover_settle(void)
{
    lock();
    here.settled = true;
    drop_untaken();
    for (Unsettled *next, *later = here.unsettled; later; later = next) {
        next = later->next;
        settle(later);
    }
    here.unsettled = NULL;
    close_rest();
    unlock();
}

void handover_give(void)
{
    atomic_store(&here.given, true);
}

bool handover_shared(void)
{
    return atomic_load(&here.given) || (here.channel >= 0 && !atomic_load(&here.settled));
}
