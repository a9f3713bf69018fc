#include "base/clock.h"
#include "gateway/telemetry/metrics_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Figures of this process from the kernel; 0: not known. */
typedef struct ProcessFacts {
    int64_t cpu, started; /* nanoseconds; `started` of wall time */
    uint64_t virtual_bytes, resident_bytes, open_files, most_files;
} ProcessFacts;

/* Fields of /proc/self/stat (proc(5)), from field 3 on. The command name before them may contain
   any character; it ends with the last ')'. */
static void read_stat(ProcessFacts *facts)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    const char *fields = strrchr(text, ')');
    unsigned long long user, system, started, virtual_bytes;
    long long resident_pages;
    if (!fields || sscanf(fields,
                          ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
                          "%*d %*d %llu %llu %lld",
                          &user, &system, &started, &virtual_bytes, &resident_pages) != 5)
        return;

    int64_t tick = SECOND / sysconf(_SC_CLK_TCK);
    struct timespec since_boot;
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    int64_t boot = clock_wall() - (since_boot.tv_sec * SECOND + since_boot.tv_nsec);
    facts->cpu = (int64_t)(user + system) * tick;
    facts->started = boot + (int64_t)started * tick;
    facts->virtual_bytes = virtual_bytes;
    facts->resident_bytes = (uint64_t)resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void count_files(ProcessFacts *facts)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        facts->most_files = limit.rlim_cur;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        facts->open_files += entry->d_name[0] != '.';
    closedir(folder);
    facts->open_files -= facts->open_files > 0; /* the one of the folder itself */
}

void metrics_write_process(Exposition *e)
{
    ProcessFacts facts = {0};
    read_stat(&facts);
    count_files(&facts);
    exposition_family(e, "process_cpu_seconds", METRIC_COUNTER, "User and system CPU time spent.");
    exposition_seconds(e, "", NULL, 0, facts.cpu);
    exposition_family(e, "process_start_time_seconds", METRIC_GAUGE,
                      "When the process started, in seconds since 1970.");
    exposition_seconds(e, "", NULL, 0, facts.started);
    exposition_single(e, "process_resident_memory_bytes", METRIC_GAUGE, "Memory in RAM.",
                      facts.resident_bytes);
    exposition_single(e, "process_virtual_memory_bytes", METRIC_GAUGE, "Address space in use.",
                      facts.virtual_bytes);
    exposition_single(e, "process_open_fds", METRIC_GAUGE, "Open file descriptors.",
                      facts.open_files);
    exposition_single(e, "process_max_fds", METRIC_GAUGE, "How many file descriptors may be open.",
                      facts.most_files);
}
