/* A mapping as text: one line for each rule or guard. */
#include "adapters/mapping/expr.h"

static void print_args(const Expr *expr, Buffer *out)
{
    buffer_add_byte(out, '(');
    for (uint32_t i = 0; i < expr->n_args; i++) {
        if (i)
            buffer_add_text(out, ", ");
        expr_print(expr->args[i], out);
    }
    buffer_add_byte(out, ')');
}

/* Prints a message from its wire bytes: "Money{units: 1, nanos: 5}". */
static void print_message(Buffer *out, Bytes content, const MessageType *type)
{
    WireReader reader = wire_reader(content);
    buffer_printf(out, "%s{", type->name);
    for (WireField f; wire_next(&reader, &f);) {
        const FieldType *field = message_field_by_number(type, f.number);
        Literal value = field ? literal_of_wire(field->kind, &f) : (Literal){0};
        if (!field)
            continue;
        buffer_printf(out, f.record.data == content.data ? "%s: " : ", %s: ", field->name);
        literal_print(out, &value, value_type_of(field));
    }
    buffer_add_byte(out, '}');
}

void literal_print(Buffer *out, const Literal *literal, ValueType type)
{
    const EnumValue *value;
    switch (type.kind) {
    case KIND_STRING: buffer_printf(out, "\"%.*s\"", BYTES_ARGS(literal->bytes)); break;
    case KIND_MESSAGE:
    case KIND_GROUP: print_message(out, literal->bytes, type.message); break;
    case KIND_BYTES:
        for (size_t i = 0; i < literal->bytes.size; i++)
            buffer_printf(out, "\\x%02x", literal->bytes.data[i]);
        break;
    case KIND_BOOL: buffer_add_text(out, literal->u ? "true" : "false"); break;
    case KIND_DOUBLE:
    case KIND_FLOAT: buffer_printf(out, "%.17g", literal->d); break;
    case KIND_ENUM:
        value =
            type.enumeration ? enum_value_by_number(type.enumeration, (int32_t)literal->i) : NULL;
        if (value)
            buffer_add_text(out, value->name);
        else
            buffer_printf(out, "%lld", (long long)literal->i);
        break;
    default:
        if (kind_is_unsigned(type.kind))
            buffer_printf(out, "%llu", (unsigned long long)literal->u);
        else
            buffer_printf(out, "%lld", (long long)literal->i);
    }
}

/* A list is printed as its elements, which are records of field 1. */
static void print_constant(const Expr *expr, Buffer *out)
{
    if (!expr->type.repeated) {
        literal_print(out, expr->constants, expr->type);
        return;
    }
    WireReader reader = wire_reader(expr->constants->bytes);
    char before = '[';
    for (WireField f; wire_next(&reader, &f); before = ',') {
        Literal element = literal_of_wire(expr->type.kind, &f);
        buffer_add_text(out, before == '[' ? "[" : ", ");
        literal_print(out, &element, expr->type);
    }
    buffer_add_byte(out, ']');
}

static void print_table(const Converter *converter, Buffer *out)
{
    buffer_add_byte(out, '[');
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        const EnumEntry *entry = &converter->entries[i];
        buffer_add_text(out, i ? " " : "");
        if (converter->code == CONVERT_ENUM_TEXT)
            buffer_printf(out, "%d=%.*s", entry->from, BYTES_ARGS(entry->text));
        else if (converter->code == CONVERT_TEXT_TABLE)
            buffer_printf(out, "%.*s=%.*s", BYTES_ARGS(entry->text), BYTES_ARGS(entry->into));
        else if (converter->code == CONVERT_TEXT_ENUM)
            buffer_printf(out, "%.*s=%d", BYTES_ARGS(entry->text), entry->to);
        else
            buffer_printf(out, "%d=%d", entry->from, entry->to);
    }
    if (converter->has_fallback && converter->code == CONVERT_TEXT_TABLE)
        buffer_printf(out, " else %.*s", BYTES_ARGS(converter->fallback.into));
    else if (converter->has_fallback)
        buffer_printf(out, " else %d", converter->fallback.to);
    buffer_add_byte(out, ']');
}

static void print_template(const Converter *converter, Buffer *out)
{
    buffer_add_byte(out, '[');
    for (uint32_t i = 0; i < converter->n_variables; i++)
        buffer_printf(out, "%.*s{%u}", BYTES_ARGS(converter->template_parts[i]), i);
    buffer_printf(out, "%.*s", BYTES_ARGS(converter->template_parts[converter->n_variables]));
    if (converter->code == CONVERT_TEMPLATE_PART)
        buffer_printf(out, " part %u", converter->part);
    buffer_add_byte(out, ']');
}

static void print_converter(const Converter *converter, Buffer *out)
{
    buffer_add_text(out, converter->name);
    switch (converter->code) {
    case CONVERT_NUMBER:
        buffer_printf(out, "[%s to %s]", field_kind_name(converter->from.kind),
                      field_kind_name(converter->to.kind));
        break;
    case CONVERT_ENUM:
    case CONVERT_ENUM_TEXT:
    case CONVERT_TEXT_ENUM:
    case CONVERT_TEXT_TABLE:
    case CONVERT_BOOL_ENUM: print_table(converter, out); break;
    case CONVERT_SENTINEL:
        buffer_add_byte(out, '[');
        literal_print(out, &converter->sentinel, converter->from);
        buffer_add_byte(out, ']');
        break;
    case CONVERT_SCALE:
        buffer_printf(out, "[*%lld/%lld]", (long long)converter->numerator,
                      (long long)converter->denominator);
        break;
    case CONVERT_TEMPLATE:
    case CONVERT_TEMPLATE_PART: print_template(converter, out); break;
    case CONVERT_FIELD_MASK: buffer_printf(out, "[%s]", converter->mapping->from->name); break;
    case CONVERT_MEMBER: buffer_printf(out, "[%s]", converter->value->name); break;
    case CONVERT_SERIALIZED: buffer_printf(out, "[%s]", field_kind_name(converter->to.kind)); break;
    default: break;
    }
}

static void print_build(const Expr *expr, Buffer *out)
{
    buffer_printf(out, "%s{", expr->type.message->name);
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        buffer_printf(out, "%s%s: ", i ? ", " : "", expr->rules[i].target->name);
        expr_print(expr->rules[i].value, out);
    }
    buffer_add_byte(out, '}');
    if (expr->n_args) {
        buffer_add_text(out, " if ");
        expr_print(expr->args[0], out);
    }
}

static void print_chosen(const Expr *expr, Buffer *out)
{
    for (uint32_t i = 0; i < expr->n_args; i++) {
        buffer_add_text(out, i ? " | " : "select ");
        literal_print(out, &expr->constants[i], expr->type);
        buffer_add_text(out, " if ");
        expr_print(expr->args[i], out);
    }
}

static void print_when(const Expr *expr, Buffer *out)
{
    expr_print(expr->args[0], out);
    bool bracket = expr->args[1]->kind == EXPR_DEFAULT;
    buffer_add_text(out, bracket ? " when (" : " when ");
    expr_print(expr->args[1], out);
    buffer_add_text(out, bracket ? ")" : "");
    if (expr->constants) {
        buffer_add_text(out, " = ");
        literal_print(out, expr->constants, expr->args[1]->type);
    }
}

static void print_unless(const Expr *expr, Buffer *out)
{
    expr_print(expr->args[0], out);
    for (uint32_t i = 1; i < expr->n_args; i++) {
        buffer_add_text(out, i > 1 ? " | " : " unless ");
        expr_print(expr->args[i], out);
    }
}

void expr_print(const Expr *expr, Buffer *out)
{
    switch (expr->kind) {
    case EXPR_FIELD:
        for (uint32_t i = 0; i < expr->n_steps; i++)
            buffer_printf(out, i ? ".%s" : "%s", expr->steps[i]->name);
        break;
    case EXPR_CONST: print_constant(expr, out); break;
    case EXPR_CONVERT:
        print_converter(expr->converter, out);
        print_args(expr, out);
        break;
    case EXPR_MESSAGE:
        buffer_printf(out, "%s%s", expr->mapping->same_wire ? "same " : "",
                      expr->mapping->to->name);
        print_args(expr, out);
        break;
    case EXPR_BUILD: print_build(expr, out); break;
    case EXPR_DEFAULT:
        expr_print(expr->args[0], out);
        buffer_add_text(out, " else ");
        expr_print(expr->args[1], out);
        break;
    case EXPR_REQUIRE:
        buffer_add_text(out, "required");
        print_args(expr, out);
        break;
    case EXPR_FIRST:
        buffer_add_text(out, expr->loud ? "only" : "first");
        print_args(expr, out);
        break;
    case EXPR_WRAP:
        buffer_add_text(out, "list");
        print_args(expr, out);
        break;
    case EXPR_REST:
        buffer_add_text(out, "rest");
        print_args(expr, out);
        break;
    case EXPR_JOIN:
        buffer_add_text(out, "join");
        print_args(expr, out);
        break;
    case EXPR_KEYED:
    case EXPR_LISTED:
        buffer_printf(out, "%s[%s]",
                      expr->kind == EXPR_LISTED ? "listed"
                      : expr->loud              ? "keyed once"
                                                : "keyed",
                      expr->mapping->to->name);
        print_args(expr, out);
        break;
    case EXPR_WHEN: print_when(expr, out); break;
    case EXPR_UNLESS: print_unless(expr, out); break;
    case EXPR_SELECT: print_chosen(expr, out); break;
    }
}

void mapping_print(const Mapping *mapping, Buffer *out)
{
    buffer_printf(out, "%s -> %s%s\n", mapping->from->full_name, mapping->to->full_name,
                  mapping->same_wire  ? " (same bytes)"
                  : mapping->identity ? " (same)"
                                      : "");
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    mapping = mapping_with_rules(scratch, mapping);
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        buffer_printf(out, "  %s = ", mapping->rules[i].target->name);
        expr_print(mapping->rules[i].value, out);
        buffer_add_byte(out, '\n');
    }
    for (uint32_t i = 0; i < mapping->n_guards; i++) {
        const Guard *guard = &mapping->guards[i];
        buffer_add_text(out, guard->loud ? "  refuse " : "  drop ");
        expr_print(guard->source, out);
        if (guard->has_ignored) {
            buffer_add_text(out, " unless ");
            literal_print(out, &guard->ignored, guard->source->type);
        }
        buffer_add_byte(out, '\n');
    }
    arena_free(scratch);
}
