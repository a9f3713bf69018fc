#include "gateway/signal/finding.h"

#include "base/text/json_text.h"

static const char *const kind_names[FINDING_KINDS] = {"first", "mix", "silent", "drift"};

const char *finding_kind_name(FindingKind kind)
{
    return kind_names[kind];
}

static void add(Finding *finding, FindingFact fact)
{
    if (finding->n_facts < FINDING_FACTS)
        finding->facts[finding->n_facts++] = fact;
}

void finding_add_number(Finding *finding, const char *name, double number)
{
    add(finding, (FindingFact){.name = name, .number = number});
}

void finding_add_text(Finding *finding, const char *name, const char *text)
{
    add(finding, (FindingFact){.name = name, .text = text});
}

void finding_write_evidence(const Finding *finding, Buffer *out)
{
    buffer_add_byte(out, '{');
    for (uint32_t i = 0; i < finding->n_facts; i++) {
        const FindingFact *fact = &finding->facts[i];
        if (fact->text) {
            json_text_add_member(out, fact->name, bytes_of(fact->text));
        } else {
            json_text_add_key(out, fact->name);
            buffer_printf(out, "%.6g", fact->number);
        }
    }
    buffer_add_byte(out, '}');
}

uint64_t finding_id(const Finding *finding)
{
    uint64_t hash = bytes_hash(bytes_of(kind_names[finding->kind]));
    return (hash << 7 | hash >> 57) * UINT64_C(0x9e3779b97f4a7c15) ^
           bytes_hash(bytes_of(finding->subject));
}
