/*
 * InstanceList: instances from a list outside of the config, read as those in it are.
 */
#ifndef GATEWAY_INSTANCE_LIST_H
#define GATEWAY_INSTANCE_LIST_H

#include "gateway/config/config.h"

/* Instances from a list outside of the config. */
typedef struct InstanceList {
    Instance **items; /* existing ones of the caller, or new ones in the arena */
    uint32_t n, n_refused;
} InstanceList;

/* The file of a service's discovery. Any thread. Fault: NO_FILE. */
MUST_USE Result config_list_text(Arena *arena, const char *file, Bytes *text_out);

/*
 * Reads a list of instances for the service; `text` is that of its discovery's file. Mistakes go to
 * `problems`, and their entries are left out. `had`: entry (Instance.said) -> Instance, of the
 * service; these are reused. New ones live in the arena, which has no limit, except for their TLS
 * context: it belongs to the caller. Fault: BAD_CONFIG, if the text is no such list.
 */
MUST_USE Result config_list_read(Arena *arena, const Service *service, Bytes text, const Table *had,
                                 Problems *problems, InstanceList *list_out);

#endif
