/*
 * Scatter: writes a message as other senders may encode it. Fields in any order, messages in
 * pieces, lists packed or loose or both, values that later ones replace. It means the same as the
 * output of tree_write.
 */
#ifndef ADAPTERS_TREE_SCATTER_H
#define ADAPTERS_TREE_SCATTER_H

#include "adapters/prove/tree.h"
#include "base/random.h"

void tree_scatter(const Tree *tree, Random *random, Buffer *out);

#endif
