/*
 * Runs a fuzz target over files, once each, as an ordinary test: run_seeds FOLDER_OR_FILE...
 * libFuzzer's own main is used instead when the option `fuzz` is on.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_run;

static int run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fprintf(stderr, "%s: %s\n", path, strerror(errno)), 1;
    /* Of the exact size, so that a read past the end is one past the allocation. */
    uint8_t *data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        fclose(file);
        free(data);
        return 1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_run++;
    return 0;
}

static int run_path(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fprintf(stderr, "%s: %s\n", path, strerror(errno)), 1;
    if (!S_ISDIR(info.st_mode))
        return run_file(path, (size_t)info.st_size);

    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return fprintf(stderr, "%s: %s\n", path, strerror(errno)), 1;
    int failures = 0;
    for (int i = 0; i < n; i++) {
        char inside[4096];
        if (entries[i]->d_name[0] != '.') {
            snprintf(inside, sizeof(inside), "%s/%s", path, entries[i]->d_name);
            failures += run_path(inside);
        }
        free(entries[i]);
    }
    free(entries);
    return failures;
}

int main(int argc, char **argv)
{
    int failures = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        failures += run_path(argv[i]);
    printf("%d inputs\n", n_run);
    return failures || n_run == 0;
}
