/*
 * ConfigTree: the texts of a config as one tree: the file, and those that it includes, with the
 * values of variables. Each value keeps its place in its own text.
 *
 *     include: services/x.yaml      the lists of included files are appended to those of the file
 *                                   that includes them; any other key is in one file only
 *     x-...                         of a file: for anchors, not read
 *     ${NAME}, ${NAME:-default}     in values: see variables.h
 *
 * Lives in arenas without limit; used at load time; one thread.
 */
#ifndef GATEWAY_CONFIG_TREE_H
#define GATEWAY_CONFIG_TREE_H

#include "adapters/text/yaml.h"
#include "base/table.h"
#include "gateway/config/config.h"

enum {
    CONFIG_SIZE_MOST = 16 << 20, /* bytes of all texts */
    CONFIG_FILES_MOST = 10000,
    CONFIG_INCLUDES_DEEP = 8 /* files that include one another */
};

typedef struct ConfigTree {
    YamlDocument document;
    ConfigText *texts; /* in the order in which they were read */
    Table variables;   /* offset of a node (ConfigTree's own key) -> the names in it */
    Buffer used;       /* what came out of variables */
} ConfigTree;

/* Reads the text of `path`, and the files that it includes. Mistakes go to `problems`. Texts are in
   `arena`, everything else in `working`. */
void config_tree_read(Arena *arena, Arena *working, Bytes text, const char *path,
                      Problems *problems, ConfigTree *tree_out);

/* The same tree again, from the texts as they were: no file is read. */
void config_tree_again(Arena *arena, const ConfigText *texts, Problems *problems,
                       ConfigTree *tree_out);

/* "HOST, PORT (not set)": the variables in a value; NULL: none. */
const char *config_tree_variables(const ConfigTree *tree, const JsonNode *node);

#endif
