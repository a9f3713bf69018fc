#include "gateway/headers/trace_context.h"

#include "base/arena.h"
#include "gateway/headers/request_id.h"

/*
 *  version  trace-id                          parent-id         flags
 *  00     - 0af7651916cd43dd8448eb211c80319c - b7ad6b7169203331 - 01
 *  0       3                                36                 53  55
 */
enum { TRACE_AT = 3, CALLER_AT = 36, FLAGS_AT = 53, PARENT_SIZE = 55 };

static const char own_key[] = "passerelle";

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(Bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (hex_digit(text.data[i]) < 0)
            return false;
    }
    return true;
}

static bool is_id(Bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '0')
            return is_hex(text);
    }
    return false;
}

static int hex_byte(const uint8_t *at)
{
    return hex_digit(at[0]) * 16 + hex_digit(at[1]);
}

bool trace_parent_read(Bytes value, TraceContext *context_out)
{
    if (value.size < PARENT_SIZE || value.data[2] != '-' || value.data[CALLER_AT - 1] != '-' ||
        value.data[FLAGS_AT - 1] != '-')
        return false;

    Bytes version = bytes_slice(value, 0, 2), flags = bytes_slice(value, FLAGS_AT, 2);
    Bytes trace_id = bytes_slice(value, TRACE_AT, TRACE_ID_SIZE);
    Bytes caller = bytes_slice(value, CALLER_AT, TRACE_SPAN_SIZE);
    if (!is_hex(version) || !is_hex(flags) || !is_id(trace_id) || !is_id(caller))
        return false;

    /* Later versions may have more fields after another dash. */
    int number = hex_byte(version.data);
    if (number == 0xff ||
        (value.size > PARENT_SIZE && (number == 0 || value.data[PARENT_SIZE] != '-')))
        return false;

    memcpy(context_out->trace_id, trace_id.data, TRACE_ID_SIZE);
    memcpy(context_out->caller, caller.data, TRACE_SPAN_SIZE);
    context_out->flags = (uint8_t)(hex_byte(flags.data) & (TRACE_SAMPLED | TRACE_RANDOM));
    return true;
}

/* ---- tracestate ------------------------------------------------------------------------------ */

static bool is_key_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' ||
           c == '/' || c == '@';
}

static bool is_value_char(uint8_t c)
{
    return c >= 0x20 && c <= 0x7e && c != ',' && c != '=';
}

static bool all(Bytes text, bool (*is)(uint8_t))
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is(text.data[i]))
            return false;
    }
    return text.size > 0 && text.size <= 256;
}

/* One "key=value" (section 3.3.1.3). */
static bool is_member(Bytes member)
{
    size_t equals = bytes_find(member, '=');
    Bytes key = bytes_slice(member, 0, equals);
    Bytes value = bytes_slice(member, equals + 1, member.size);
    bool begins_well = key.size && ((key.data[0] >= 'a' && key.data[0] <= 'z') ||
                                    (key.data[0] >= '0' && key.data[0] <= '9'));
    return begins_well && all(key, is_key_char) && all(value, is_value_char);
}

static bool is_own(Bytes member)
{
    return bytes_are(bytes_slice(member, 0, bytes_find(member, '=')), own_key);
}

/* The members of the caller's state that are passed on, at most `room`. -1: the state is malformed,
   and nothing of it is passed on. */
static int read_members(Bytes state, Bytes *members, int room)
{
    int n = 0;
    Bytes part;
    while (bytes_split(&state, ',', &part)) {
        part = bytes_trim(part);
        if (part.size == 0 || is_own(part))
            continue;
        if (!is_member(part))
            return -1;
        if (n < room)
            members[n++] = part;
    }
    return n;
}

/* Our own member first, then the caller's from the left, up to TRACE_STATE_SIZE. Members of more
   than 128 bytes are dropped first (section 3.3.1.5). */
static Bytes write_state(const TraceContext *context, Bytes state, Arena *arena)
{
    Bytes members[TRACE_STATE_MEMBERS - 1];
    int n = read_members(state, members, TRACE_STATE_MEMBERS - 1);
    size_t size = sizeof own_key + TRACE_SPAN_SIZE;
    for (int i = 0; i < n; i++)
        size += 1 + members[i].size;
    for (int i = n - 1; i >= 0 && size > TRACE_STATE_SIZE; i--) {
        if (members[i].size > 128) {
            size -= 1 + members[i].size;
            members[i] = BYTES_NONE;
        }
    }

    Buffer out = buffer_in(arena);
    buffer_add_text(&out, own_key);
    buffer_add_byte(&out, '=');
    buffer_add(&out, context->span, TRACE_SPAN_SIZE);
    for (int i = 0; i < n; i++) {
        if (members[i].size == 0)
            continue;
        if (out.size + 1 + members[i].size > TRACE_STATE_SIZE)
            break;
        buffer_add_byte(&out, ',');
        buffer_add_bytes(&out, members[i]);
    }
    return out.full ? BYTES_NONE : buffer_bytes(&out);
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* The value of a field that occurs once; data NULL: there is none, or several. */
static Bytes only_value(const Fields *fields, const char *name)
{
    Bytes value = BYTES_NONE;
    int n = 0;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (bytes_are(fields->items[i].name, name)) {
            value = fields->items[i].value;
            n++;
        }
    }
    return n == 1 ? value : BYTES_NONE;
}

void trace_context_begin(const Fields *head, Random *random, Arena *arena,
                         TraceContext *context_out)
{
    TraceContext *context = context_out;
    *context = (TraceContext){0};
    context->known = trace_parent_read(bytes_trim(only_value(head, "traceparent")), context);
    if (!context->known)
        return;
    random_hex(random, context->span, TRACE_SPAN_SIZE);
    Bytes state = fields_joined(head, "tracestate");
    if (state.size)
        context->state = write_state(context, state, arena);
}

void trace_context_start(TraceContext *context, Random *random)
{
    *context = (TraceContext){.known = true,
                              .recorded = true,
                              .flags = TRACE_SAMPLED | TRACE_RANDOM,
                              .noted = context->noted};
    random_hex(random, context->trace_id, TRACE_ID_SIZE);
    random_hex(random, context->span, TRACE_SPAN_SIZE);
}

TraceContext *trace_context_within(const TraceContext *outer, Random *random, Arena *arena)
{
    TraceContext *context = arena_make(arena, TraceContext);
    if (!context)
        return NULL;
    *context = *outer;
    memcpy(context->caller, outer->span, TRACE_SPAN_SIZE);
    random_hex(random, context->span, TRACE_SPAN_SIZE);
    return context;
}

static Bytes write_parent(const TraceContext *context, const char *span, Arena *arena)
{
    char *text = arena_alloc(arena, PARENT_SIZE);
    if (!text)
        return BYTES_NONE;
    memcpy(text, "00-", 3);
    memcpy(text + TRACE_AT, context->trace_id, TRACE_ID_SIZE);
    text[CALLER_AT - 1] = '-';
    memcpy(text + CALLER_AT, span, TRACE_SPAN_SIZE);
    text[FLAGS_AT - 1] = '-';
    text[FLAGS_AT] = '0';
    text[FLAGS_AT + 1] = (char)('0' + context->flags);
    return bytes(text, PARENT_SIZE);
}

void trace_context_write(const TraceContext *context, Fields *metadata)
{
    fields_remove(metadata, "traceparent");
    fields_remove(metadata, "tracestate");
    if (!context->known)
        return;
    Bytes parent = write_parent(context, context->span, metadata->arena);
    if (!parent.data) {
        metadata->full = true;
        return;
    }
    fields_add(metadata, bytes_of("traceparent"), parent);
    if (context->state.size)
        fields_add(metadata, bytes_of("tracestate"), context->state);
}

uint64_t trace_context_attempt(const TraceContext *context, Random *random, Fields *metadata)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t id;
    do
        id = random_next(random);
    while (!id); /* all zeros mean "none" */
    char span[TRACE_SPAN_SIZE];
    for (int i = 0; i < TRACE_SPAN_SIZE; i++)
        span[i] = digits[id >> (60 - 4 * i) & 15];
    for (uint32_t i = 0; i < metadata->n; i++) {
        if (!bytes_are(metadata->items[i].name, "traceparent"))
            continue;
        Bytes parent = write_parent(context, span, metadata->arena);
        if (parent.data) /* else the instance's spans are in the call's, beside the attempt's */
            metadata->items[i].value = parent;
    }
    return id;
}
