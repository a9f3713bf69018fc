#include "adapters/program/plan.h"

#include "adapters/program/program.h"

bool plan_is_copy(const Plan *plan)
{
    const PlanOptions *options = &plan->set->options;
    if (plan->copies)
        return true;
    return plan->from == CODEC_JSON && plan->to == CODEC_JSON && plan->mapping->identity &&
           !plan->only && !options->enums_as_numbers && !options->emit_defaults &&
           !options->emit_nulls && !options->walk_all;
}

uint8_t plan_cost(const Plan *plan)
{
    return plan->cost;
}

Bytes any_type_name(Bytes url)
{
    size_t at = url.size;
    while (at && url.data[at - 1] != '/')
        at--;
    return bytes_slice(url, at, url.size);
}
