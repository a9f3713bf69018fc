/*
 * ConfigFile: a config's text, read as the messages of config.proto.
 *
 * The text is YAML; its schema is built into the program, and the same plans as for calls convert
 * it to a message. Mistakes are reported and left out, so that later checks can report more. Lives
 * in its arena; used while a config is loaded; one thread.
 */
#ifndef GATEWAY_CONFIG_FILE_H
#define GATEWAY_CONFIG_FILE_H

#include "adapters/document/document.h"
#include "gateway/config/config.pb-c.h"

/* Descriptor sets that the build embeds in the program. */
extern const Bytes config_set; /* config.proto: the schema of a config */
extern const Bytes own_set;    /* the built-in services: gRPC's health and reflection */

typedef struct ConfigFile {
    const char *path;
    YamlDocument document;                     /* with the place of each value */
    const Passerelle__Config__Config *content; /* NULL if the text is not YAML or not a map */
} ConfigFile;

/* `path` is for messages; names of files in the text are relative to it. Mistakes go to `problems`,
   obsolete keys to `doubts`; the Result fails only for faults of the gateway itself. */
MUST_USE Result config_file_read(Arena *arena, Bytes text, const char *path, Problems *problems,
                                 Problems *doubts, ConfigFile *file_out);

/* The same in two steps, for other texts: their schema, ... */
MUST_USE Result config_schema(Arena *arena, const Schema **schema_out,
                              const DocumentRules **rules_out);

/* ... and the protobuf-c message for checked JSON, in the arena. */
MUST_USE Result config_message(Arena *arena, const MessageType *type, Bytes json,
                               const ProtobufCMessageDescriptor *descriptor,
                               ProtobufCMessage **message_out);

#endif
