/*
 * ConfigFile: a config's text, read as the messages of config.proto.
 *
 * The text is YAML; the schema it is read against is built into the program, and it becomes a
 * message by the same plans that calls go through. What is wrong is told and left out, so that the
 * checks that follow can tell more. Lives in its arena; used while a config is loaded; one thread.
 */
#ifndef GATEWAY_CONFIG_FILE_H
#define GATEWAY_CONFIG_FILE_H

#include "adapters/document/document.h"
#include "gateway/config/config.pb-c.h"

/* Descriptor sets that the build makes and puts into the program. */
extern const Bytes config_set; /* config.proto: what a config's text is read against */
extern const Bytes
    own_set; /* the services that the gateway itself gives: gRPC's health and reflection */

typedef struct ConfigFile {
    const char *path;
    YamlDocument document;                     /* where everything stands */
    const Passerelle__Config__Config *content; /* NULL when the text is no YAML or no map at all */
} ConfigFile;

/* `path` is for the texts, and what names of files in the text are relative to. Mistakes of the
   text go to `problems`, and keys that are no longer read to `doubts`; the Result fails only where
   the gateway itself is at fault. */
MUST_USE Result config_file_read(Arena *arena, Bytes text, const char *path, Problems *problems,
                                 Problems *doubts, ConfigFile *file_out);

/* The same in two steps, for other texts: what they are read against, ... */
MUST_USE Result config_schema(Arena *arena, const Schema **schema_out,
                              const DocumentRules **rules_out);

/* ... and the message of protobuf-c, in the arena, that checked JSON is. */
MUST_USE Result config_message(Arena *arena, const MessageType *type, Bytes json,
                               const ProtobufCMessageDescriptor *descriptor,
                               ProtobufCMessage **message_out);

#endif
