/* Reads services and their methods, after all messages. */
#include "adapters/schema/schema_internal.h"

enum { OPERATION_OPTION = 1049 /* google/longrunning/operations.proto */ };

/* Resolves a name in the scopes of a package, innermost first: "Order", "v1.Order", or a full
   name. */
static const MessageType *find_in_scope(Loader *loader, const char *package, Bytes name)
{
    for (Bytes scope = bytes_of(package); scope.size;) {
        const char *full =
            arena_printf(loader->scratch, "%.*s.%.*s", BYTES_ARGS(scope), BYTES_ARGS(name));
        const MessageType *found = schema_message(loader->schema, bytes_of(full));
        if (found)
            return found;
        while (scope.size && scope.data[scope.size - 1] != '.')
            scope.size--;
        scope.size -= scope.size > 0;
    }
    return schema_message(loader->schema, name);
}

/* The option may be split in several records, which are merged. */
static Result read_operation(Loader *loader, Bytes from, MethodType *method)
{
    const char *package = method->service->package;
    WireReader reader = wire_reader(from);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            method->operation_response = find_in_scope(loader, package, f.bytes);
        else if (f.number == 2 && f.type == WIRE_LENGTH)
            method->operation_metadata = find_in_scope(loader, package, f.bytes);
    }
    return descriptor_end(loader, &reader, "google.longrunning.OperationInfo");
}

static Result read_method_options(Loader *loader, Bytes from, MethodType *method)
{
    Result r = OK;
    WireReader reader = wire_reader(from);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 33: method->deprecated = f.value != 0; break;
        case 34:
            method->no_side_effects = f.value == 1;
            method->idempotent = f.value == 1 || f.value == 2;
            break;
        case METHOD_HTTP: {
            HttpRule *rule = arena_make(loader->arena, HttpRule);
            method->http = rule;
            r = http_rule_read(loader, f.bytes, false, rule);
            break;
        }
        case OPERATION_OPTION: r = read_operation(loader, f.bytes, method); break;
        default: break;
        }
    }
    return failed(r) ? r : descriptor_end(loader, &reader, "MethodOptions");
}

/* The name is the last part of the path. */
static void name_method(Loader *loader, Bytes name, MethodType *method)
{
    const char *service = method->service->full_name;
    size_t size = strlen(service);
    char *path = loader_text_room(loader, 1 + size + 1 + name.size + 1);
    loader_check_name(loader, name);
    *path = '/';
    memcpy(path + 1, service, size);
    path[1 + size] = '/';
    if (name.size)
        memcpy(path + 1 + size + 1, name.data, name.size);
    path[1 + size + 1 + name.size] = '\0';
    method->path = path;
    method->name = path + 1 + size + 1;
}

static Result read_method(Loader *loader, Bytes from, const ServiceType *service,
                          MethodType *method)
{
    Result r = OK;
    Bytes input = BYTES_NONE, output = BYTES_NONE;
    method->service = service;
    name_method(loader, wire_find_bytes(from, 1), method);
    WireReader reader = wire_reader(from);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 2: input = f.bytes; break;
        case 3: output = f.bytes; break;
        case 4: r = read_method_options(loader, f.bytes, method); break;
        case 5: method->client_streaming = f.value != 0; break;
        case 6: method->server_streaming = f.value != 0; break;
        default: break;
        }
    }
    if (failed(r) || failed(r = descriptor_end(loader, &reader, "MethodDescriptorProto")))
        return r;
    method->input = schema_message(loader->schema, input);
    method->output = schema_message(loader->schema, output);
    if (!method->input || !method->output)
        return BAD_SCHEMA(loader, "%s: a type of method %s is not in the set", loader->name,
                          method->path);
    return OK;
}

static Result define_service(Loader *loader, const FileScope *file, Bytes from)
{
    const Schema *schema = loader->schema;
    uint32_t index = loader->n_services++;
    ServiceType *service = &schema->services[index];
    service->full_name = loader_join(loader, file->package, wire_find_bytes(from, 1));
    service->package = file->package;
    service->name = loader_without_package(service->full_name, file->package);
    Result r =
        loader_declare(loader, schema->n_messages + schema->n_enums + index, service->full_name);

    WireReader reader = wire_reader(from);
    service->methods = loader->methods;
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 2)
            r = read_method(loader, f.bytes, service, &service->methods[service->n_methods++]);
    }
    loader->methods += service->n_methods;
    return failed(r) ? r : descriptor_end(loader, &reader, "ServiceDescriptorProto");
}

Result descriptor_define_services(Loader *loader, const FileScope *file)
{
    Result r = OK;
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 6)
            r = define_service(loader, file, f.bytes);
    }
    return r;
}
