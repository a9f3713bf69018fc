/* passerelle: finds the command. */
#include "gateway/commands/command.h"

#include <stdio.h>

static int help(const Command *command, int n, char **arguments);

static const Command commands[] = {
    {"run", "CONFIG", "be the gateway, until told to stop", command_run},
    {"check", "CONFIG [--json]", "tell every mistake of a config, or what it means and loses",
     command_check},
    {"explain", "CONFIG [VERB] PATH [-H 'Name: value'] [--client NAME] [--plan]",
     "what would become of a request: version, rule, route, plan, losses", command_explain},
    {"diff", "OLD[:PACKAGE] NEW[:PACKAGE] [--json | --changes]",
     "what changed between two descriptor sets, whom it breaks, and a first change list",
     command_diff},
    {"prove", "CONFIG [--messages N] [--seed N]",
     "random messages through every plan and back, against a plain interpreter", command_prove},
    {"version", "", "what was built, and with what", command_version},
    {"help", "", "this", help},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *out)
{
    fprintf(out, "usage: passerelle COMMAND ...\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n           %s\n", commands[i].name, commands[i].text,
                commands[i].arguments);
}

static int help(const Command *command, int n, char **arguments)
{
    print_help(stdout);
    return EXIT_WELL;
}

static const Command *find(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return find("help");
    return strcmp(name, "--version") == 0 ? find("version") : NULL;
}

int main(int n, char **arguments)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const Command *command = n > 1 ? find(arguments[1]) : NULL;
    if (command)
        return command->run(command, n - 2, arguments + 2);
    if (n > 1) {
        const char *nearest = nearest_word(bytes_of(arguments[1]), names, N_COMMANDS);
        fprintf(stderr, "passerelle: there is no command %s%s%s\n", arguments[1],
                nearest ? "; did you mean " : "", nearest ? nearest : "");
    }
    print_help(stderr);
    return EXIT_USAGE;
}
