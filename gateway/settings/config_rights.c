/* Who may connect to a unix socket: the mode, the owner and the group of its file. */
#include "gateway/settings/settings.h"

#include "base/arena.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

enum { NAMES_SIZE = 65536, MODE_BY_DEFAULT = 0660, MAY_CONNECT = 0222 };

static void read_mode(ConfigReader *reader, const char *text, const char *path, mode_t *mode)
{
    size_t digits = strspn(text, "01234567");
    bool octal = !text[digits] && (digits == 3 || (digits == 4 && text[0] == '0'));
    *mode = (mode_t)strtoul(text, NULL, 8);
    if (!octal)
        config_tell(reader, path, "0660",
                    "%s is not the mode of a socket: three octal digits, of the owner, the group "
                    "and others",
                    text);
    else if (!(*mode & MAY_CONNECT))
        config_tell(reader, path, "0660",
                    "nobody could connect with the mode %s: that needs the right to write", text);
}

/* An owner or a group as its number. */
static bool is_number(const char *text, uint32_t *id_out)
{
    uint64_t id;
    if (!bytes_to_u64(bytes_of(text), &id) || id >= UINT32_MAX)
        return false;
    *id_out = (uint32_t)id;
    return true;
}

/* One that cannot be looked up now could not be given the file either. */
static void tell_unknown(ConfigReader *reader, const char *kind, const char *name, int error,
                         const char *path)
{
    if (error)
        config_tell(reader, path, NULL, "the %s %s cannot be looked up: %s", kind, name,
                    strerror(error));
    else
        config_tell(reader, path, NULL, "there is no %s %s", kind, name);
}

static void read_owner(ConfigReader *reader, const char *name, const char *path, uid_t *owner)
{
    char *room = arena_array(reader->arena, char, NAMES_SIZE);
    struct passwd one, *found = NULL;
    if (is_number(name, owner))
        return;
    int error = getpwnam_r(name, &one, room, NAMES_SIZE, &found);
    if (found)
        *owner = found->pw_uid;
    else
        tell_unknown(reader, "user", name, error, path);
}

static void read_group(ConfigReader *reader, const char *name, const char *path, gid_t *group)
{
    char *room = arena_array(reader->arena, char, NAMES_SIZE);
    struct group one, *found = NULL;
    if (is_number(name, group))
        return;
    int error = getgrnam_r(name, &one, room, NAMES_SIZE, &found);
    if (found)
        *group = found->gr_gid;
    else
        tell_unknown(reader, "group", name, error, path);
}

static void tell_no_file(ConfigReader *reader, const RightsText *text, const char *path)
{
    const char *key = text->mode ? "mode" : text->owner ? "owner" : "group";
    config_tell(reader, config_path(reader, "%s.%s", path, key), NULL,
                "only a unix socket has a file with owner, group and mode");
}

const SocketRights *config_socket_rights(ConfigReader *reader, const RightsText *text,
                                         const Address *address, const char *path)
{
    if (!text->mode && !text->owner && !text->group)
        return NULL;
    if (address->host)
        tell_no_file(reader, text, path);
    SocketRights *rights = arena_make(reader->arena, SocketRights);
    *rights = (SocketRights){MODE_BY_DEFAULT, (uid_t)-1, (gid_t)-1};
    if (text->mode)
        read_mode(reader, text->mode, config_path(reader, "%s.mode", path), &rights->mode);
    if (text->owner)
        read_owner(reader, text->owner, config_path(reader, "%s.owner", path), &rights->owner);
    if (text->group)
        read_group(reader, text->group, config_path(reader, "%s.group", path), &rights->group);
    return rights;
}
