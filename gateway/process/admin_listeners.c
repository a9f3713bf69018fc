#include "gateway/process/process_internal.h"

#include "base/arena.h"
#include "gateway/listen/socket_file.h"
#include "gateway/telemetry/telemetry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static Result start_at(Process *p, Arena *arena, const Config *config, const Address *address,
                       Admin **admin_out)
{
    AdminSees sees = {.ready = &p->ready,
                      .fleet = p->fleet,
                      .store = p->store,
                      .shadows = p->shared.shadows,
                      .limits = p->shared.limits,
                      .act = actions_ask,
                      .owner = p};
    *admin_out = NULL;
    if (!address->host && !address->path)
        return OK;
    return admin_start(arena, config, address, &sees, admin_out);
}

static void make_folder_of(const char *path)
{
    char folder[256]; /* longer than the path of a socket can be */
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path || (size_t)(slash - path) >= sizeof folder)
        return;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    mkdir(folder, 0755);
}

/* The default socket is nobody's demand: the gateway goes on without it. */
static Result start_socket(Process *p, Arena *arena, const Config *config, Admin **admin_out)
{
    const Address *address = &config->admin_socket;
    if (address->path && !config->admin_socket_said)
        make_folder_of(address->path);
    Result r = start_at(p, arena, config, address, admin_out);
    if (!failed(r) || config->admin_socket_said)
        return r;
    telemetry_event("warning", "admin_socket_missing", r, "commands cannot find the gateway at %s",
                    address->text);
    return OK;
}

Result admin_listeners_start(Process *p, Arena *arena)
{
    Result r = start_at(p, arena, p->config, &p->config->admin, &p->admin);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_SYSTEM, "starting the admin listener at %s",
                         p->config->admin.text);
    r = start_socket(p, arena, p->config, &p->admin_socket);
    return failed(r) ? FAIL_OVER(arena, r, FAULT_SYSTEM, "starting the admin listener at %s",
                                 p->config->admin_socket.text)
                     : OK;
}

/* Of a socket that stays. */
static Result change_rights(Process *p, Arena *arena, const Config *config)
{
    static const SocketRights alone = {S_IRUSR | S_IWUSR, (uid_t)-1, (gid_t)-1};
    const SocketRights *rights = config->admin_socket_rights;
    if (!rights && !p->config->admin_socket_rights)
        return OK;
    return socket_file_give(arena, &config->admin_socket, rights ? rights : &alone);
}

Result admin_change_begin(Process *p, Arena *arena, const Config *config, AdminChange *change_out)
{
    *change_out = (AdminChange){
        .other_address = !text_equal(p->config->admin.text, config->admin.text),
        .other_socket = !text_equal(p->config->admin_socket.text, config->admin_socket.text)};
    Result r = OK;
    if (change_out->other_address)
        r = start_at(p, arena, config, &config->admin, &change_out->address);
    if (!failed(r) && change_out->other_socket)
        r = start_socket(p, arena, config, &change_out->socket);
    if (!failed(r) && !change_out->other_socket)
        r = change_rights(p, arena, config);
    if (failed(r))
        admin_change_undo(change_out);
    return r;
}

void admin_change_undo(AdminChange *change)
{
    admin_stop(change->address);
    admin_stop(change->socket);
    *change = (AdminChange){NULL};
}

/* Somebody has removed the file: commands do not find the gateway until it is made anew. */
static bool socket_is_gone(const Config *config)
{
    struct stat info;
    const char *path = config->admin_socket.path;
    return path && lstat(path, &info) != 0 && errno == ENOENT;
}

static void make_socket_anew(Process *p)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    admin_stop(p->admin_socket);
    Result r = start_socket(p, arena, p->config, &p->admin_socket);
    if (failed(r))
        telemetry_event("error", "admin_socket_missing", r,
                        "commands cannot find the gateway at %s", p->config->admin_socket.text);
    arena_free(arena);
}

void admin_change_end(Process *p, const AdminChange *change)
{
    if (change->other_address) {
        admin_stop(p->admin);
        p->admin = change->address;
    }
    if (change->other_socket) {
        admin_stop(p->admin_socket);
        p->admin_socket = change->socket;
    } else if (!p->going && socket_is_gone(p->config)) {
        make_socket_anew(p);
    }
}
