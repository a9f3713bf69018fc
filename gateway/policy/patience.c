#include "gateway/policy/patience.h"

bool patience_is_enough(const Patience *patience)
{
    return patience->given >= patience->allowed / PATIENCE_PART ||
           (patience->usual && patience->given / PATIENCE_TIMES >= patience->usual);
}
