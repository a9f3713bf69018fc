/*
 * Symbols: which function an address of this process is in, and which file.
 *
 * By libdw, of the files that the process has mapped: their tables of symbols, also those in
 * .gnu_debugdata and in /usr/lib/debug. Nothing is asked of a network. Blocks, and may take a tenth
 * of a second; one thread.
 */
#ifndef GATEWAY_SYMBOLS_H
#define GATEWAY_SYMBOLS_H

#include "base/bytes.h"

typedef struct Symbols Symbols;

/* Code of one file, or of the kernel's "[vdso]". */
typedef struct SymbolFile {
    uint64_t start, limit; /* addresses */
    uint64_t offset;       /* in the file, of `start` */
    const char *name;      /* its path */
    const char *build_id;  /* hexadecimal; "": it has none */
} SymbolFile;

/* Never NULL: where files cannot be read, there are fewer names. */
Symbols *symbols_open(Arena *arena);
void symbols_close(Symbols *symbols);

/* The files, that of the program first. */
const SymbolFile *symbols_files(const Symbols *symbols, uint32_t *n_out);

/* The name of the function; NULL: it has none. In the arena. */
const char *symbols_function(Symbols *symbols, uint64_t address);

#endif
