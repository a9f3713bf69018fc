/* Rules of google.api.http in a service YAML, beside those in the schema: `http.rules` of
   google.api.Service. */
#include "gateway/conventions/conventions.h"

#include "adapters/text/yaml.h"
#include "base/arena.h"
#include "base/file/file.h"

enum { RULES_SIZE_MOST = 4 << 20 };

typedef struct RuleReading {
    ConfigReader *reader;
    const Version *version;
    const YamlDocument *document;
} RuleReading;

static const char *const verbs[][2] = {
    {"get", "GET"}, {"put", "PUT"}, {"post", "POST"}, {"delete", "DELETE"}, {"patch", "PATCH"}};

static void tell(const RuleReading *reading, const JsonNode *node, const char *hint,
                 const char *reason)
{
    const YamlPlace *place = yaml_place(reading->document, node);
    problem_add(reading->reader->problems, reading->document->file, place->line, place->column,
                "http.rules", hint, "%s", reason);
}

static void tell_unknown(const RuleReading *reading, const JsonNode *member)
{
    static const char *const names[] = {
        "selector", "get",    "put",  "post",          "delete",
        "patch",    "custom", "body", "response_body", "additional_bindings"};
    const YamlPlace *place = yaml_place(reading->document, member);
    Arena *arena = reading->reader->arena;
    problem_add(reading->reader->problems, reading->document->file, place->name_line,
                place->name_column, "http.rules",
                config_hint(reading->reader, arena_text(arena, member->name), names,
                            sizeof names / sizeof *names),
                "%.*s is no key of a rule", BYTES_ARGS(member->name));
}

static const char *text_of(const RuleReading *reading, const JsonNode *node)
{
    bool is_text = node->kind == JSON_TEXT || node->kind == JSON_STRING;
    if (!is_text)
        tell(reading, node, NULL, "a text is expected here");
    return is_text ? arena_text(reading->reader->arena, node->text) : "";
}

static const char *verb_of(Bytes key)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (bytes_are(key, verbs[i][0]))
            return verbs[i][1];
    return NULL;
}

static void read_custom_pattern(const RuleReading *reading, const JsonNode *node, HttpRule *rule)
{
    rule->verb = "*";
    const JsonNode *kind = json_member(node, "kind"), *path = json_member(node, "path");
    if (!kind || !path) {
        tell(reading, node, "{kind: HEAD, path: /v1/x}", "a custom pattern has a kind and a path");
        return;
    }
    rule->verb = text_of(reading, kind);
    rule->path = text_of(reading, path);
}

static void read_http_rules(const RuleReading *reading, const JsonNode *list, HttpRule *rule);

static void read_rule_member(const RuleReading *reading, const JsonNode *member, HttpRule *rule)
{
    const char *verb = verb_of(member->name);
    if (verb) {
        rule->verb = verb;
        rule->path = text_of(reading, member);
    } else if (bytes_are(member->name, "custom")) {
        read_custom_pattern(reading, member, rule);
    } else if (bytes_are(member->name, "body")) {
        rule->body = text_of(reading, member);
    } else if (bytes_are(member->name, "response_body")) {
        rule->response_body = text_of(reading, member);
    } else if (bytes_are(member->name, "additional_bindings")) {
        read_http_rules(reading, member, rule);
    } else if (!bytes_are(member->name, "selector")) {
        tell_unknown(reading, member);
    }
}

/* False: it was told why there is none. */
static bool read_http_rule(const RuleReading *reading, const JsonNode *node, HttpRule *rule)
{
    *rule = (HttpRule){.verb = "", .path = "", .body = "", .response_body = ""};
    for (const JsonNode *member = node->kind == JSON_OBJECT ? node->first : NULL; member;
         member = member->next)
        read_rule_member(reading, member, rule);
    if (!rule->verb[0])
        tell(reading, node, "{selector: library.v1.Library/Get, get: /v1/x}",
             "a rule is a map with a pattern");
    return rule->path[0];
}

static void read_http_rules(const RuleReading *reading, const JsonNode *list, HttpRule *rule)
{
    if (list->kind != JSON_ARRAY) {
        tell(reading, list, "- before each rule", "a list is expected here");
        return;
    }
    rule->additional = arena_array(reading->reader->arena, HttpRule, list->count + 1);
    for (const JsonNode *node = list->first; node; node = node->next)
        rule->n_additional += read_http_rule(reading, node, &rule->additional[rule->n_additional]);
}

/* ---- The method that a rule is for ----------------------------------------------------------- */

static const char *nearest_method(const RuleReading *reading, const ServiceType *service,
                                  const char *selector)
{
    Arena *arena = reading->reader->arena;
    const char **names = arena_array(arena, const char *, service->n_methods + 1);
    for (uint32_t i = 0; i < service->n_methods; i++)
        names[i] = arena_printf(arena, "%s.%s", service->full_name, service->methods[i].name);
    return config_hint(reading->reader, selector, names, service->n_methods);
}

/* NULL: it is of another API, whose rules are in the same file, or it was told that there is none.
 */
static MethodType *find_ruled_method(const RuleReading *reading, const JsonNode *node)
{
    const char *selector = text_of(reading, node), *dot = strrchr(selector, '.');
    Bytes name = bytes_of(dot ? dot + 1 : selector);
    const ServiceType *service =
        dot ? schema_service(reading->version->schema, bytes(selector, (size_t)(dot - selector)))
            : NULL;
    if (!service || !version_serves(reading->version, service))
        return NULL;
    for (uint32_t i = 0; i < service->n_methods; i++)
        if (bytes_are(name, service->methods[i].name))
            return &service->methods[i];
    tell(reading, node, nearest_method(reading, service, selector),
         arena_printf(reading->reader->arena, "%s has no method %.*s", service->full_name,
                      BYTES_ARGS(name)));
    return NULL;
}

static void use_http_rule(const RuleReading *reading, const JsonNode *node, uint32_t *n_used)
{
    const JsonNode *selector = node->kind == JSON_OBJECT ? json_member(node, "selector") : NULL;
    HttpRule *rule = arena_make(reading->reader->arena, HttpRule);
    if (!selector) {
        tell(reading, node, "{selector: library.v1.Library.Get, get: /v1/x}",
             "a rule has a selector, the name of its method");
        return;
    }
    MethodType *method = find_ruled_method(reading, selector);
    if (!method || !read_http_rule(reading, node, rule))
        return;
    method->http = rule;
    ++*n_used;
}

void conventions_use_http_rules(ConfigReader *reader, Version *version, const char *file,
                                const char *path)
{
    Bytes text;
    YamlDocument document;
    Result r = file_read(reader->arena, file, RULES_SIZE_MOST, &text);
    if (failed(r)) {
        config_tell(reader, path, "file names are relative to this file", "%s", r.error->doing);
        return;
    }
    config_hash_add(reader, text, true);
    size_t before = reader->problems->n;
    yaml_parse(reader->arena, text, file, NULL, reader->problems, &document);
    if (!document.root || reader->problems->n > before)
        return;
    const JsonNode *rules = document_node(&document, "http.rules");
    RuleReading reading = {reader, version, &document};
    uint32_t n_used = 0;
    if (!rules || rules->kind != JSON_ARRAY) {
        config_tell(reader, path, NULL, "%s has no list http.rules", file);
        return;
    }
    for (const JsonNode *node = rules->first; node; node = node->next)
        use_http_rule(&reading, node, &n_used);
    if (!n_used && reader->problems->n == before)
        config_tell(reader, path, NULL, "%s has no rule for a method of %s", file, version->name);
}
