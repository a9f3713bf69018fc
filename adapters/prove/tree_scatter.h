/*
 * Scattered: a message on the wire as other senders may write it. Fields in any order, messages in
 * pieces, lists packed or loose or both, values that later ones replace: it means what tree_write
 * writes.
 */
#ifndef ADAPTERS_TREE_SCATTER_H
#define ADAPTERS_TREE_SCATTER_H

#include "adapters/prove/tree.h"
#include "base/random.h"

void tree_scatter(const Tree *tree, Random *random, Buffer *out);

#endif
