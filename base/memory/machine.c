#include "base/memory/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

/* The number at the beginning of a file; UINT64_MAX: none, for example "max". */
static uint64_t read_number(const char *path)
{
    unsigned long long number;
    FILE *file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    int n = fscanf(file, "%llu", &number);
    fclose(file);
    return n == 1 ? number : UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* MemTotal is the first line of meminfo(5), in KiB. */
static uint64_t read_total(const char *root)
{
    char path[PATH_SIZE];
    unsigned long long kib;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    FILE *file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    int n = fscanf(file, "MemTotal: %llu", &kib);
    fclose(file);
    return n == 1 ? kib * 1024 : UINT64_MAX;
}

/* The smallest limit of the control group and its ancestors, which apply to it, too. In a container
   the path of the group may be missing, but the root of the mount exists. */
static uint64_t read_groups(const char *mount, const char *group, const char *name)
{
    char path[PATH_SIZE], at[PATH_SIZE];
    uint64_t limit = UINT64_MAX;
    snprintf(at, sizeof at, "%s", group);
    for (;;) {
        int size = snprintf(path, sizeof path, "%s%s/%s", mount, at, name);
        if (size > 0 && (size_t)size < sizeof path)
            limit = least(limit, read_number(path));
        char *end = strrchr(at, '/');
        if (!end)
            return limit;
        *end = '\0';
    }
}

/* A line of cgroups(7): "0::/group" of version 2, "4:memory:/group" of version 1. */
static uint64_t read_line(const char *root, char *line)
{
    char mount[PATH_SIZE];
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT64_MAX;
    *group++ = '\0';
    if (strcmp(++controllers, "") == 0) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return read_groups(mount, group, "memory.max");
    }
    if (strcmp(controllers, "memory") != 0)
        return UINT64_MAX;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/memory", root);
    return read_groups(mount, group, "memory.limit_in_bytes");
}

uint64_t machine_memory(const char *root)
{
    char text[PATH_SIZE];
    uint64_t memory = read_total(root);
    snprintf(text, sizeof text, "%s/proc/self/cgroup", root);
    FILE *file = fopen(text, "re");
    while (file && fgets(text, sizeof text, file))
        memory = least(memory, read_line(root, text));
    if (file)
        fclose(file);
    return memory == UINT64_MAX ? 0 : memory;
}
