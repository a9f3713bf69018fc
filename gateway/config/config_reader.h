/*
 * ConfigReader: the state of one config_load: for this module, gateway/settings and
 * gateway/service.
 *
 * Each file reads its part of the ConfigFile into the Config and reports mistakes in it. Values
 * that were left out because of a mistake (NULL, 0) are skipped silently. Compilation
 * (gateway/service) uses what could be read, so that its mistakes are reported in the same run.
 */
#ifndef GATEWAY_CONFIG_READER_H
#define GATEWAY_CONFIG_READER_H

#include "adapters/document/document.h"
#include "gateway/config/config.h"
#include "gateway/config/config.pb-c.h"

typedef struct ServicePlan ServicePlan;

/* Descriptor sets that the build embeds in the program. */
extern const Bytes config_set; /* config.proto: the schema of a config */
extern const Bytes own_set;    /* the built-in services: gRPC's health and reflection */

/* The JSON Schema of a config, for editors: the comments of config.proto are its descriptions. */
extern const Bytes config_json_schema;

/* config_file.c: the text, read as the messages of config.proto. It is YAML; its schema is built
   into the program, and the same plans as for calls convert it to a message. Mistakes are reported
   and left out, so that later checks can report more. */
typedef struct ConfigFile {
    const char *path;
    YamlDocument document;                     /* with the place of each value; in `working` */
    const Passerelle__Config__Config *content; /* NULL if the text is not YAML or not a map */
    const ConfigText *texts;                   /* this one, and those that it includes */
    SecretFile *secrets;                       /* files that secrets were read from */
    Bytes used;    /* what came from outside of the texts: secrets, variables */
    size_t n_told; /* problems of the texts, variables and files themselves: the first ones */
} ConfigFile;

/* `path` is for messages; names of files in the text are relative to it. Files that it includes,
   and files with secrets, are read. What only loading needs is in `working`. Mistakes go to
   `problems`, obsolete keys to `doubts`, keys that will be to `deprecated`; the Result fails only
   for faults of the gateway itself. */
MUST_USE Result config_file_read(Arena *arena, Arena *working, Bytes text, const char *path,
                                 Problems *problems, Problems *doubts, Problems *deprecated,
                                 ConfigFile *file_out);

/* Another document, as a message of config.proto; NULL if it is no YAML, or no map. Deprecated keys
   are doubts, too. */
MUST_USE Result config_document_read(Arena *arena, Bytes text, const char *path,
                                     const ProtobufCMessageDescriptor *descriptor,
                                     Problems *problems, Problems *doubts, YamlDocument *document,
                                     ProtobufCMessage **message_out);

/* config_secret_text.c: each `{file: NAME}` in place of a secret becomes the content of the file,
   without the end of its line; what cannot be read is reported and stays. Adds the contents to
   `used`. Gives the files. */
SecretFile *config_read_secrets(Arena *arena, const DocumentRules *rules, const MessageType *type,
                                const YamlDocument *document, Problems *problems, Buffer *used);

/* The same in two steps, for other texts: their schema, ... */
MUST_USE Result config_schema(Arena *arena, const Schema **schema_out,
                              const DocumentRules **rules_out);

/* ... and the protobuf-c message for checked JSON, in the arena. */
MUST_USE Result config_message(Arena *arena, const MessageType *type, Bytes json,
                               const ProtobufCMessageDescriptor *descriptor,
                               ProtobufCMessage **message_out);

typedef struct ConfigReader {
    Arena *arena;   /* of the config */
    Arena *working; /* as long as this reader; may be the same */
    Problems *problems;
    ConfigFile file;
    Config *config;
    const SchemaAsk *ask;     /* NULL: no schemas from instances */
    Table *contexts;          /* settings of TLS -> SSL_CTX; NULL: each instance has its own */
    Table schemas;            /* file -> LoadedSchema */
    Table caches;             /* file -> the ReflectedSchema cached in it */
    ServicePlan *services;    /* data of config->services[i] for loading only */
    const char **route_paths; /* of config->routes[i]: "routes[0]"; NULL: not in the file */
    Table identities;         /* Schema (its address) -> the identity MappingSet */
    Table answers;            /* AnswerKey -> DefaultAnswer: of graceful routes */
    Table plans; /* PlanKey -> Plan: many methods share a message and a pair of codecs */
    Table shown; /* RestrictKey -> Mapping: what routes show of a message */
    const MappingSet *error_types;   /* google.rpc's, part of all versions */
    struct LossCounter *losses;      /* of all mappings; while pairs are made */
    PlanCache *programs;             /* shared by these plans */
    struct evp_md_ctx_st *hash;      /* of all texts so far, */
    struct evp_md_ctx_st *contracts; /* and of those that say what messages mean */
} ConfigReader;

/* Data of a service until it is compiled. */
struct ServicePlan {
    const Passerelle__Config__Service
        *text;                /* NULL: created for the instances of an opaque route, or */
    bool is_policy_server;    /* for those of a policy server, which speak gRPC */
    const char *path;         /* "services[0]" */
    const ChangeList **lists; /* [i]: between versions i and i + 1; NULL: no conversion */
};

/* config_path formats a path, which is there as long as the reader; config_tell reports a mistake
 * at a path, with a formatted reason. */
const char *config_path(ConfigReader *reader, const char *format, ...) PRINTF_LIKE(2, 3);
void config_tell(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The same for a doubt: a mistake that does not harm a running gateway. */
void config_doubt(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* "gateway.yaml:3:5": of an address, which is the value at the path by itself or its member
   `address`. NULL: there is no value. */
const char *config_place_of_address(ConfigReader *reader, const char *path);

/* "did you mean x", or "a, b or c" if they are few; in the arena. May be NULL. */
const char *config_hint(ConfigReader *reader, const char *word, const char *const *words, size_t n);

/* `size` bytes from twice as many hexadecimal digits. False: the text is anything else. */
bool config_read_hex(Bytes text, uint8_t *out, size_t size);

/* For a file that is not there: the name in the document that was meant, or what names are relative
   to. In the arena, or constant. */
const char *config_file_hint(Arena *arena, const char *document, const char *file);

/* One or more letters, digits, or characters of `also`. */
bool config_is_word(const char *text, const char *also);

/* What is told of a file that should hold a secret and does not, and what is to be written. */
#define CONFIG_NO_SECRET "%s holds no secret: it is empty, or has blank lines only"
#define CONFIG_NO_SECRET_HINT "printf '%%s' SECRET > %s"

/* The content of a file with a credential, which counts in the config's hash: one line of visible
   characters, without its end. What is no such line, or cannot be read, is reported. */
Bytes config_read_token(ConfigReader *reader, const char *file, const char *path);

/* The key at the path names a file with a secret; both stay. NULL is allowed, and a reader without
   a Config: of lists of instances. */
void config_secret_file(ConfigReader *reader, const char *path, const char *file);
/* Likewise of a file that all may read, and who writes in it can make credentials good. */
void config_shown_file(ConfigReader *reader, const char *path, const char *file);

/* The name of a request field, in lower case; an invalid one is reported. */
const char *config_field_name(ConfigReader *reader, const char *name, const char *path);

/* "5 %", "0.5%": the number before the sign, above 0 and up to 100; 0: it is none of these. */
double config_percent(const char *text);

/* The texts of a list, ending with NULL; NULL if there are none. */
const char *const *config_texts(Arena *arena, char *const *texts, size_t n);

/* The hash of all texts and descriptor sets that the config is made from. `contract`: the text says
   what messages mean, as schemas and change lists do. */
void config_hash_begin(ConfigReader *reader);
void config_hash_add(ConfigReader *reader, Bytes text, bool contract);
void config_hash_end(ConfigReader *reader);

/* Method.contract of all that need one; after config_hash_end. */
void config_hash_contracts(const Config *config);

/* The value of `errors`; what it does not say, or all if it is NULL, is UNSAID. */
ErrorStyle config_errors(const Passerelle__Config__Errors *text);

Impact config_impact(Passerelle__Config__Impact impact);

/* The loops that the gateway will have. */
uint32_t config_n_loops(const Config *config);

/* config_limits.c: reads Config.limits; then divides the file descriptors, for a config that is
   complete. */
void config_read_limits(ConfigReader *reader);
void config_share_descriptors(Config *config);

/* Frees everything of a config that is outside of its arena. */
void config_free_parts(Config *config);

#endif
