/* Whether a file can be written anew beside itself, and put in its place: as who the gateway
 * becomes. */
#ifndef GATEWAY_WRITABLE_H
#define GATEWAY_WRITABLE_H

#include <stdbool.h>

/* Whether the file's folder takes files of `user` (a name, or NULL: of this process) and of `group`
   (NULL: the user's own). Of a user or group that is not there: true, others tell that. Reads the
   file system and the lists of users; blocks. */
bool folder_takes_files(const char *file, const char *user, const char *group);

#endif
