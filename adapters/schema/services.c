/* Reads services and their methods, after all messages. */
#include "adapters/schema/schema_internal.h"

enum {
    HTTP_OPTION = 72295728, /* google/api/annotations.proto */
    OPERATION_OPTION = 1049 /* google/longrunning/operations.proto */
};

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
        case HTTP_OPTION: {
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

static Result read_method(Loader *loader, Bytes from, const ServiceType *service,
                          MethodType *method)
{
    Result r = OK;
    Bytes input = BYTES_NONE, output = BYTES_NONE;
    method->service = service;
    method->name = loader_name(loader, wire_find_bytes(from, 1));
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
    method->path = arena_printf(loader->arena, "/%s/%s", service->full_name, method->name);
    method->input = schema_message(loader->schema, input);
    method->output = schema_message(loader->schema, output);
    if (!method->input || !method->output)
        return BAD_SCHEMA(loader, "%s: a type of method %s is not in the set", loader->name,
                          method->path);
    return OK;
}

static Result define_service(Loader *loader, const FileScope *file, Bytes from)
{
    ServiceType *service = &loader->schema->services[loader->schema->n_services++];
    service->full_name = loader_join(loader, file->package, wire_find_bytes(from, 1));
    service->package = file->package;
    service->name = loader_without_package(service->full_name, file->package);
    Result r =
        loader_declare(loader, &loader->schema->services_by_name, service->full_name, service);

    uint32_t n = 0;
    WireReader counter = wire_reader(from), reader = wire_reader(from);
    for (WireField f; wire_next(&counter, &f);)
        n += f.number == 2;
    service->methods = arena_array(loader->arena, MethodType, n);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 2)
            r = read_method(loader, f.bytes, service, &service->methods[service->n_methods++]);
    }
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
