/*
 * passerelle-mbox: reads a mailbox (mbox) on the standard input, and writes what `passerelle
 * feedback import` reads: a line of JSON for each message.
 *
 *      passerelle-mbox [--client NAME] [--source WORD] < list.mbox > list.jsonl
 *
 * It gives itself little memory and time before it reads anything.
 */
#include "base/arena.h"
#include "base/file/file.h"
#include "gateway/mail/mail_json.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { MBOX_MOST = 256 << 20, SECONDS = 120, FILES = 16 };
#define MEMORY ((rlim_t)2 << 30)

static void limit(int what, rlim_t most)
{
    struct rlimit both = {most, most};
    if (setrlimit(what, &both) != 0)
        perror("passerelle-mbox: a limit cannot be set");
}

static void on_line(void *owner, Bytes line)
{
    fwrite(line.data, 1, line.size, owner);
}

/* False: an argument is wrong. */
static bool read_arguments(int n, char **words, MailRules *rules)
{
    for (int i = 1; i < n; i += 2) {
        if (i + 1 < n && strcmp(words[i], "--client") == 0)
            rules->client = words[i + 1];
        else if (i + 1 < n && strcmp(words[i], "--source") == 0)
            rules->source = words[i + 1];
        else
            return false;
    }
    return true;
}

int main(int n, char **words)
{
    MailRules rules = {.client = NULL};
    if (!read_arguments(n, words, &rules)) {
        fputs("usage: passerelle-mbox [--client NAME] [--source WORD] < MBOX\n", stderr);
        return 2;
    }
    limit(RLIMIT_AS, MEMORY);
    limit(RLIMIT_CPU, SECONDS);
    limit(RLIMIT_NOFILE, FILES);
    limit(RLIMIT_CORE, 0);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes mbox;
    Result r = file_read(arena, "/dev/stdin", MBOX_MOST, &mbox);
    if (failed(r)) {
        fprintf(stderr, "passerelle-mbox: %s\n", error_text(arena, r));
        arena_free(arena);
        return 1;
    }
    MailCounts counts = mail_json_write(mbox, &rules, on_line, stdout);
    fprintf(stderr, "passerelle-mbox: %llu messages, %llu left out\n",
            (unsigned long long)counts.taken, (unsigned long long)counts.left_out);
    bool written = fflush(stdout) == 0;
    arena_free(arena);
    return written ? 0 : 1;
}
