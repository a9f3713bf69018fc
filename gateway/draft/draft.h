/*
 * Draft: what can be known of services by their schemas: for a first config.
 *
 * The packages of all sources become services and versions: shop.orders.v1 and shop.orders.v2 are
 * two versions of `orders`, and so are shop.v1.orders and shop.v2.orders. Neighbouring versions get
 * a first change list (schema_diff.h). What schemas do not say is left to a person: the texts mark
 * it "DECIDE". Pure: no files, no network. Lives in its arena, which has no limit; borrows the
 * sources; one thread.
 */
#ifndef GATEWAY_DRAFT_H
#define GATEWAY_DRAFT_H

#include "adapters/schema/schema.h"

/* How an instance is connected to by TLS: files of PEM, as the config names them; NULL: none. */
typedef struct DraftTls {
    const char *ca, *certificate, *key;
} DraftTls;

/* A descriptor set, and where it is from. */
typedef struct DraftSource {
    const char *said;     /* as it was given: a file, a folder, an address */
    const Schema *schema; /* of `set`, or of the file */
    const char *file;     /* how the config names the descriptor set */
    Bytes set;            /* what is to be written there; data NULL: it is there already */
    const char *address;  /* of the instance that told it; NULL: none did */
    const DraftTls *tls;  /* of that instance; NULL: cleartext */
} DraftSource;

typedef struct DraftVersion {
    const char *name;    /* "v1" */
    const char *package; /* "shop.orders.v1" */
    const DraftSource *source;
    const char *changes; /* the change list to the next version: the name that a config has for it;
                            NULL: that of the draft */
    bool guessed;        /* the name: the package does not say it */
} DraftVersion;

typedef struct DraftInstance {
    const char *address;
    const DraftTls *tls; /* NULL: cleartext */
    uint64_t versions;   /* which it serves, by index; 0: nobody knows */
} DraftInstance;

typedef struct DraftService {
    const char *name; /* "orders" */
    const char *stem; /* "shop.orders": its packages without the version */
    DraftVersion *versions;
    DraftInstance *instances;
    const char **mixins; /* RPC services of other packages that its instances told */
    uint32_t n_versions, n_instances, n_mixins;
} DraftService;

typedef struct Draft {
    Arena *arena;
    DraftService *services; /* in the order of the sources */
    uint32_t n_services;
    const char **doubts; /* what looks like a mistake, one line each */
    uint32_t n_doubts;
} Draft;

/* One file of a draft. */
typedef struct DraftFile {
    const char *name; /* in the folder of the config */
    Bytes content;
    const char *mark;          /* of lines that wait for a decision; NULL: it has none */
    uint32_t n_decisions;      /* such lines */
    const DraftSource *source; /* whose descriptor set it is; NULL: it is none */
} DraftFile;

enum { DRAFT_VERSIONS_MOST = 64 }; /* of one service: as in a config */

/* How a draft is made into files. NULLs are not allowed. */
typedef struct DraftTexts {
    const char *config; /* the name of the config: "gateway.yaml" */
    const char *notes;  /* of the notes */
    const char *listen; /* "127.0.0.1:8080" */
    bool listen_said;   /* by the person: no decision */
    const char *folder; /* in front of what is in the folder of the config: "", or "made/" */
} DraftTexts;

/* Fault: BAD_CONFIG (no service, or more versions than a config may have). */
MUST_USE Result draft_make(Arena *arena, const DraftSource *sources, uint32_t n, Draft *draft_out);

/*
 * An instance that a person named: "ADDRESS", or "NAME=ADDRESS" with the name of a package, of a
 * service, or of a version of the only service. `tls` may be NULL: cleartext. Fault: BAD_CONFIG
 * (which service it belongs to is not clear).
 */
MUST_USE Result draft_add_instance(Draft *draft, const char *text, const DraftTls *tls);

/* The config, the change lists, the notes, and the descriptor sets that are not there yet. */
void draft_files(const Draft *draft, const DraftTexts *texts, const DraftSource *sources,
                 uint32_t n, const DraftFile **files_out, uint32_t *n_out);

/* Change lists that the config `config`, which is there already in `folder`, has by other names
   keep them. Before draft_files. */
void draft_keep_names(Draft *draft, Bytes config, const char *folder);

/* The name of the change list between version `at` and the next one. In the draft's arena. */
const char *draft_changes_name(const Draft *draft, const DraftService *service, uint32_t at);

/* Parts of draft_files, each a text. */
void draft_config(const Draft *draft, const DraftTexts *texts, Buffer *out);
/* ", tls: {ca: ...}", behind the address of an instance; nothing for NULL. */
void draft_config_tls(const DraftTls *tls, Buffer *out);
void draft_notes(const Draft *draft, const DraftTexts *texts, const DraftFile *files, uint32_t n,
                 Buffer *out);

/* "orders: v1 (shop.orders.v1); 3 methods, 2 of them REST; 1 instance": one line each. */
void draft_summary(const Draft *draft, Buffer *out);

/* What the config `text`, called `name`, has not of it, one line each: "gateway.yaml has no version
   v3 of orders (shop.orders.v3)". Of a text that is no YAML: everything. */
void draft_lacks(const Draft *draft, Bytes text, const char *name, Buffer *out);

/* What the change list `kept`, called `name`, has not of `made`, one line each: "notes-v1-v2.yaml
   has no line for Note.size". Of a text that is no YAML: everything. */
void draft_lacks_lines(Arena *arena, Bytes kept, Bytes made, const char *name, Buffer *out);

/* Whether a version of the config `text` has its schema from this file. */
bool draft_config_names(Arena *arena, Bytes text, const char *schema);

/* What is another contract in the source's schema than it was `before`, one line each: "notes.v1
   Note.size: added". */
void draft_contract(Arena *arena, const DraftSource *source, const Schema *before, Buffer *out);

#endif
