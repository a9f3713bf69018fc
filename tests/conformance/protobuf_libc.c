/*
 * The five functions that protobuf's conformance runner wants from a newer libc than Debian 12's.
 * Preloaded, for the runner only (see protobuf_libc.py).
 */
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base);
long long __isoc23_strtoll(const char *text, char **end, int base);
unsigned long __isoc23_strtoul(const char *text, char **end, int base);
unsigned long long __isoc23_strtoull(const char *text, char **end, int base);
void _ZSt21ios_base_library_initv(void);

long __isoc23_strtol(const char *text, char **end, int base)
{
    return strtol(text, end, base);
}

long long __isoc23_strtoll(const char *text, char **end, int base)
{
    return strtoll(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
    return strtoul(text, end, base);
}

unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
    return strtoull(text, end, base);
}

/* std::ios_base's initialisation, which the older libstdc++ does by itself. */
void _ZSt21ios_base_library_initv(void)
{
}
