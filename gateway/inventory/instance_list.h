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

/* A text of a list: the whole of it, a file of a folder, a key of etcd. */
typedef struct ListDocument {
    const char *name; /* for messages */
    const char *base; /* names of files in it are relative to this one's folder */
    Bytes text;
    bool is_entry; /* the text is one instance, as in `instances`; else an InstanceList */
    bool bad;      /* after config_list_read: it is no list */
} ListDocument;

/* The names of the files of a folder that are lists, in their order: *.yaml, *.yml and *.json, but
   not those that begin with a dot. In the arena. Any thread. Fault: NO_FILE. */
MUST_USE Result config_list_names(Arena *arena, const char *folder, const char ***names_out,
                                  uint32_t *n_out);

/* A file with a list. Any thread. Fault: NO_FILE. */
MUST_USE Result config_list_text(Arena *arena, const char *file, Bytes *text_out);

/*
 * Reads the list of a service's instances, from one or more texts. Mistakes go to `problems`, and
 * their entries are left out. `had`: entry (Instance.said) -> Instance, of the service; these are
 * reused. New ones live in the arena, which has no limit, except for their TLS context: it belongs
 * to the caller. Any thread that holds the service's config. Fault: BAD_CONFIG, if none of the
 * texts is a list; no texts at all are an empty list.
 */
MUST_USE Result config_list_read(Arena *arena, const Service *service, ListDocument *documents,
                                 uint32_t n, const Table *had, Problems *problems,
                                 InstanceList *list_out);

/* The same from what instances of another config were read from (Instance.said), which are valid
   but for what their config had and this one has not. */
MUST_USE Result config_list_again(Arena *arena, const Service *service, Instance *const *instances,
                                  uint32_t n, Problems *problems, InstanceList *list_out);

#endif
