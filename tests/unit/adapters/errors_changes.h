/* The change list of "Errors" in schemas/changes.proto. */
#ifndef TESTS_UNIT_ADAPTERS_ERRORS_CHANGES_H
#define TESTS_UNIT_ADAPTERS_ERRORS_CHANGES_H

#define ERRORS_CHANGES                                                                             \
    "types: {Item: Line, Coupon: {added: graceful}}\n"                                             \
    "messages:\n"                                                                                  \
    "  Request:\n"                                                                                 \
    "    name: title\n"                                                                            \
    "    items: lines\n"                                                                           \
    "    note.text: note_text\n"                                                                   \
    "    cents: {to: total, by: cents_to_money}\n"                                                 \
    "    path: {template: 'projects/{project}/topics/{topic}', from: [project, topic]}\n"          \
    "  Item: {sku: code}\n"                                                                        \
    "  OutOfStock: {sku: code, who: {removed: graceful}, where: {added: graceful}}\n"              \
    "  Stuck: {hint: {added: graceful, back: loud}}\n"

#endif
