/* Every operation, run: plans against the oracle, in one list, in a chain there and back, and
   composed. */
#include "adapters/prove/prove.h"

#include "adapters/mapping/expr.h"
#include "adapters/program/plan.h"
#include "adapters/prove/tree.h"
#include "tests/unit/adapters/changes_schema.h"

enum { MESSAGES = 300 };

typedef struct Operation {
    const char *kind;
    const char *there; /* from Old to New */
    const char *back;  /* another list, from New to Old */
} Operation;

/* Masks of fields of which each is a part of another, or has parts. */
#define PARTED(WIDER)                                                                              \
    "messages:\n"                                                                                  \
    "  Update: {update_mask: {of: Thing" WIDER "}}\n"                                              \
    "  Thing:\n"                                                                                   \
    "    price: {by: cents_to_money, currency: EUR, round: graceful}\n"                            \
    "    path: {template: '{project}/{topic}', from: [project, topic]}\n"                          \
    "    all: {from: [first, others], first: graceful}\n"                                          \
    "    cents: {to: total, by: cents_to_money, currency: currency}\n"                             \
    "    at: {by: seconds, round: graceful}\n"                                                     \
    "    limit: {by: wrapper}\n"                                                                   \
    "    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: BANK}}]\n"                \
    "    kind: {select: {card: CARD, bank: BANK}}\n"                                               \
    "    name: {template: '{host}:{port}', to: [host, port]}\n"                                    \
    "    listed: {key: x, duplicates: graceful}\n"                                                 \
    "    fee: {by: cents_to_money, currency: fee_currency, round: graceful}\n"                     \
    "    day: {by: date_text}\n"                                                                   \
    "    unlimited: {means: {true: {attempts: -1}}}\n"                                             \
    "    one: {more: graceful}\n"                                                                  \
    "  Inner: {x: y, cost: {by: units_to_money, currency: EUR, round: graceful}}\n"                \
    "  Inner to Listed: {cost: {by: units_to_money, currency: EUR, round: graceful}}\n"
#define PARTED_BACK(WIDER)                                                                         \
    "messages:\n"                                                                                  \
    "  Update: {update_mask: {of: Thing" WIDER "}}\n"                                              \
    "  Thing:\n"                                                                                   \
    "    price: {by: cents_to_money, currency: EUR, round: graceful}\n"                            \
    "    path: {template: '{project}/{topic}', to: [project, topic]}\n"                            \
    "    all: {to: [first, others], first: graceful}\n"                                            \
    "    total: {to: cents, by: cents_to_money, currency: currency, round: graceful}\n"            \
    "    at: {by: seconds, round: graceful}\n"                                                     \
    "    limit: {by: wrapper}\n"                                                                   \
    "    card: {to: value, when: {kind: CARD}}\n"                                                  \
    "    bank: {to: value, when: {kind: BANK}}\n"                                                  \
    "    kind: {select: {card: CARD, bank: BANK}}\n"                                               \
    "    name: {template: '{host}:{port}', from: [host, port]}\n"                                  \
    "    listed: {key: x, duplicates: graceful}\n"                                                 \
    "    fee: {by: cents_to_money, currency: fee_currency, round: graceful}\n"                     \
    "    day: {by: date_text}\n"                                                                   \
    "    unlimited: {means: {true: {attempts: -1}}}\n"                                             \
    "    one: {more: graceful}\n"                                                                  \
    "  Inner: {y: x, cost: {by: units_to_money, currency: EUR, round: graceful}}\n"                \
    "  Listed to Inner: {cost: {by: units_to_money, currency: EUR, round: graceful}}\n"

static const Operation operations[] = {
    {"Rename", "messages: {M: {a: b}}", "messages: {M: {b: a}}"},
    {"Swap", "messages: {M: {a: b, b: a}}", "messages: {M: {a: b, b: a}}"},
    {"Move",
     "messages:\n  M: {street: address.street, city: extra.city, extra.note: note}\n"
     "  Extra: {note: {removed: graceful}, city: {added: graceful}}",
     "messages:\n  M: {address.street: street, extra.city: city, note: extra.note}\n"
     "  Extra: {note: {added: graceful}, city: {removed: loud}}"},
    {"Inside", "messages: {M: {street: place.street, floor: place.floor}, Spot: {a: b}}",
     "messages: {M: {place.street: street, place.floor: floor}, Spot: {b: a}}"},
    {"Gone",
     "messages:\n  M:\n    comment: {removed: graceful}\n"
     "    level: {removed: loud, ignored: 1, back: 3}\n"
     "    currency: {added: EUR}\n    region: {added: \"loud\", back: loud}",
     "messages:\n  M:\n    comment: {added: graceful}\n    level: {added: 5}\n"
     "    currency: {removed: graceful, back: USD}\n    region: {removed: loud, ignored: "
     "\"loud\"}"},
    {"Given",
     "messages:\n  M:\n    pull: {removed: graceful, back: {}}\n"
     "    size: {to: zero, optional: {width: 0}}\n    at: {removed: graceful, back: "
     "\"2026-03-01T00:00:00Z\"}\n"
     "    mask: {added: \"name,displaySize.width\"}\n    paths: {added: {paths: [a, b.c]}}\n"
     "    time: {constant: \"1970-01-01T00:00:00Z\"}\n    wait: {added: \"-1.5s\"}\n"
     "    count: {added: -7}\n"
     "    extra: {added: {a: 1, b: {c: [true, null, \"x\", y]}}}\n    value: {added: [1, {a: b}]}\n"
     "    list: {added: [a, 1.5]}\n    tags: {added: [a, \"\", b]}\n"
     "    sizes: {added: [{width: 1}, {}, {height: 0}]}\n"
     "    names: {added: {by: {a: 1, b: 0}, list: [1, NaN], color: RED}}\n"
     "    data: {added: AAEC}\n    ratio: {added: -Infinity}\n    part: {added: 0.1}\n"
     "    on: {added: true}\n    color: {added: 1}\n"
     "    box: {added: {width: 3, height: 0}}\n    empty: {added: {}, back: loud}\n"
     "    numbers: {added: [-1, 0, 2147483647]}\n    wide: {added: 18446744073709551615}\n",
     "messages:\n  M:\n    mask: {removed: graceful}\n    paths: {removed: graceful}\n"
     "    time: {to: at, required: \"2026-03-01T00:00:00.5Z\"}\n    wait: {removed: graceful}\n"
     "    count: {removed: graceful}\n    extra: {removed: graceful, back: {a: 1}}\n"
     "    value: {removed: graceful, back: x}\n    list: {removed: graceful, back: []}\n"
     "    tags: {removed: graceful}\n    sizes: {removed: graceful}\n"
     "    names: {removed: graceful}\n    data: {removed: graceful}\n"
     "    ratio: {removed: loud, ignored: -Infinity}\n    part: {removed: graceful}\n"
     "    on: {removed: graceful}\n    color: {removed: graceful}\n    box: {removed: graceful}\n"
     "    empty: {to: pull, by: message}\n    numbers: {removed: graceful}\n"
     "    wide: {removed: graceful}\n    zero: {to: size, by: message}\n"},
    {"Numbers", "messages: {M: {d: {by: number}}}", "messages: {M: {d: {by: number}}}"},
    {"Texts",
     "messages: {M: {a: {by: text}, b: {by: text}, c: {by: base64}, d: {by: utf8}, "
     "e: {by: enum_name, values: {RED: rouge}}, f: {by: flag, values: {false: OFF, true: ON}, "
     "others: true}}}",
     "messages: {M: {a: {by: text}, b: {by: text}, c: {by: hex}, d: {by: base64}, "
     "e: {by: enum_name, others: RED}, f: {by: flag, values: {false: OFF, true: ON}, others: "
     "loud}}}"},
    {"Times",
     "messages: {M: {a: {by: seconds, round: graceful}, b: {by: milliseconds}, c: {by: time_text}, "
     "d: {by: date}, e: {by: date_text}}}",
     "messages: {M: {a: {by: hours}, b: {by: microseconds, round: graceful}, c: {by: time_text}, "
     "d: {by: date, round: graceful}, e: {by: date_text}}}"},
    {"Amounts",
     "messages: {M: {cents: {to: total, by: cents_to_money, currency: currency}, "
     "fee: {by: units_to_money, currency: EUR, round: graceful}, "
     "meters: {to: kilometers, by: scale, divided_by: 1000}}}",
     "messages: {M: {total: {to: cents, by: micros_to_money, currency: currency}, "
     "fee: {by: cents_to_money, currency: EUR}, "
     "kilometers: {to: meters, by: scale, times: 8, round: graceful}}}"},
    {"Prices",
     "messages:\n  M:\n    net: {by: cents_to_money, currency: EUR}\n"
     "    tax: {by: cents_to_money, currency: EUR}\n"
     "    code: {removed: loud, ignored: EUR, back: EUR}\n"
     "    kind: {removed: graceful}\n    value: {removed: graceful}\n"
     "    one: [{removed: graceful}, {added: graceful}]\n"
     "    two: [{removed: graceful}, {added: graceful}]\n"
     "    all: [{removed: graceful}, {added: graceful}]\n"
     "    card: {added: graceful}\n    bank: {added: graceful}\n",
     "messages:\n  M:\n    net: {by: cents_to_money, currency: EUR, round: graceful}\n"
     "    tax: {by: cents_to_money, currency: EUR, round: graceful}\n"
     "    code: {added: EUR, back: loud}\n"
     "    kind: {added: graceful}\n    value: {added: graceful}\n"
     "    one: [{removed: graceful}, {added: graceful}]\n"
     "    two: [{removed: graceful}, {added: graceful}]\n"
     "    all: [{removed: graceful}, {added: graceful}]\n"
     "    card: {removed: graceful}\n    bank: {removed: graceful}\n"},
    {"Scales",
     "messages: {M: {milliseconds: {to: seconds, by: scale, divided_by: 1000}, "
     "bytes: {to: kilobytes, by: scale, divided_by: 1024}, steps: {by: scale, times: 3}, "
     "share: {to: per_mille, by: scale, times: 1000}, ratio: {by: scale, divided_by: 7}, "
     "small: {by: scale, divided_by: 9007199254740993}, weight: {to: grams, by: scale, times: "
     "1000}, large: {by: scale, times: 10}}}",
     "messages: {M: {seconds: {to: milliseconds, by: scale, times: 1000, round: graceful}, "
     "kilobytes: {to: bytes, by: scale, times: 1000, round: graceful}, "
     "steps: {by: scale, divided_by: 10, round: graceful}, "
     "per_mille: {to: share, by: scale, divided_by: 1000, round: graceful}, "
     "ratio: {by: scale, times: 7}, small: {by: scale, times: 7, round: graceful}, "
     "grams: {to: weight, by: scale, divided_by: 1000, round: graceful}, "
     "large: {by: scale, divided_by: 10}}}"},
    {"Seconds",
     "messages: {M: {at: {by: seconds}, wait: {by: milliseconds}, hours: {by: hours}, days: {by: "
     "days}, nanos: {by: nanoseconds}, single: {by: seconds}}}",
     "messages: {M: {at: {by: seconds, round: graceful}, wait: {by: milliseconds, round: "
     "graceful}, "
     "hours: {by: hours, round: graceful}, days: {by: days, round: graceful}, "
     "nanos: {by: nanoseconds, round: graceful}, single: {by: seconds, round: graceful}}}"},
    {"Floats", "messages: {M: {a: {by: text}, b: {by: text}, c: {by: text}, d: {by: text}}}",
     "messages: {M: {a: {by: text}, b: {by: text}, c: {by: text}, d: {by: text}}}"},
    {"Serials",
     "messages: {M: {a: {by: serialized}, b: {by: serialized}, c: {by: serialized}, d: {by: "
     "serialized}}}",
     "messages: {M: {a: {by: serialized}, b: {by: serialized}, c: {by: serialized}, d: {by: "
     "serialized}}}"},
    {"Wrappers",
     "messages: {M: {a: {by: wrapper}, b: {by: serialized}, c: {by: wrapper}, d: {by: wrapper}, e: "
     "{by: wrapper}, f: {by: wrapper}}}",
     "messages: {M: {a: {by: wrapper}, b: {by: serialized}, c: {by: wrapper}, d: {by: wrapper}, e: "
     "{by: wrapper}, f: {by: wrapper}}}"},
    {"Lists",
     "messages: {M: {a: {more: loud}, b: {more: graceful}, c: {more: loud}}, Inner: {x: y}}",
     "messages: {M: {a: {more: graceful}, b: {more: loud}, c: {more: graceful}}, Inner: {y: x}}"},
    {"Presence", "messages: {M: {limit: {sentinel: -1}, count: {zero: set}}}",
     "messages: {M: {limit: {sentinel: {new: -1}}, count: {sentinel: {old: 7}}}}"},
    {"Enums",
     "enums:\n  Status:\n    PENDING: {to: QUEUED, back: true}\n    WAITING: QUEUED\n"
     "    LOST: {removed: loud}\n    HELD: {added: WAITING}",
     "enums:\n  Status:\n    QUEUED: PENDING\n    WAITING: {added: QUEUED}\n"
     "    LOST: {added: HELD}\n    HELD: LOST"},
    {"Zero", "enums: {E: {NONE: {added: A}}}", "enums: {E: {NONE: A, A: {removed: B}}}"},
    {"Templates",
     "messages:\n  M:\n"
     "    name: {template: \"projects/{project_id}/topics/{topic_id}\", to: [project_id, "
     "topic_id]}\n"
     "    path: {template: \"a/{x}/b/{y}\", into: \"c/{y}/d/{x}\"}\n"
     "    key: {template: \"k/{project}/{topic}\", from: [project, topic]}",
     "messages:\n  M:\n"
     "    name: {template: \"p/{project_id}/t/{topic_id}\", from: [project_id, topic_id]}\n"
     "    path: {template: \"c/{x}/d/{y}\", into: \"{x}:{y}\"}\n"
     "    key: {template: \"k/{project}/{topic}\", to: [project, topic]}"},
    {"Kinds",
     "messages:\n  M:\n"
     "    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: BANK}}]\n"
     "    kind: {select: {card: CARD, bank: BANK}}\n    api: {constant: \"2\"}",
     "messages:\n  M:\n    card: {to: value, when: {kind: CARD}}\n"
     "    bank: {to: value, when: {kind: BANK}}\n"
     "    kind: {select: {card: CARD, bank: BANK}}\n    api: {constant: \"2\"}"},
    {"Ports",
     "messages:\n  M:\n    number: {to: number, when: {type: 0}}\n    name: {to: name, when: "
     "{type: 1}}\n    range: {to: range, when: {type: 2}}\n    type: {select: {number: 0, name: 1, "
     "range: 2}}\n",
     "messages:\n  M:\n    number: {to: number, when: {type: 0}}\n    name: {to: name, when: "
     "{type: 1}}\n    range: {to: range, when: {type: 2}}\n    type: {select: {number: 0, name: 1, "
     "range: 2}}\n"},
    {"Ports",
     "messages:\n  M:\n    number: {to: number, when: {type: 0}}\n    name: {to: name, when: "
     "{type: 1}}\n    range: {to: range, when: {type: 2}}\n    type: {select: {number: 0, name: 1, "
     "range: 2}, unused: zero}\n",
     "messages:\n  M:\n    number: {to: number, when: {type: 0}}\n    name: {to: name, when: "
     "{type: 1}}\n    range: {to: range, when: {type: 2}}\n    type: {select: {number: 0, name: 1, "
     "range: 2}, unused: zero}\n"},
    {"Ports",
     "messages:\n  M:\n    number: {to: number, when: {type: 0}}\n    name: {to: name, when: "
     "{type: 1}}\n    range: {to: range, when: {type: 2}}\n    type: {select: {number: 0, name: 1, "
     "range: 2}, unused: loud, others: loud}\n",
     "messages:\n  M:\n    number: {to: number, when: {type: 0}}\n    name: {to: name, when: "
     "{type: 1}}\n    range: {to: range, when: {type: 2}}\n    type: {select: {number: 0, name: 1, "
     "range: 2}, unused: loud, others: loud}\n"},
    {"Hoisted",
     "messages:\n  M:\n    web.routing: routing\n    web.retries: retries\n    web.inner.a: a\n",
     "messages:\n  M:\n    routing: web.routing\n    retries: web.retries\n    a: web.inner.a\n"},
    {"Hoisted",
     "messages:\n  M:\n    web.routing: routing\n    web.retries: retries\n    web.inner.a: a\n    "
     "web: {removed: loud}\n",
     "messages:\n  M:\n    routing: web.routing\n    retries: web.retries\n    a: web.inner.a\n    "
     "web: {added: graceful, back: loud}\n"},
    {"Hoisted",
     "messages:\n  M:\n    web.routing: routing\n    web.retries: retries\n    web.inner.a: a\n    "
     "web: {removed: graceful, back: {}}\n",
     "messages:\n  M:\n    routing: web.routing\n    retries: web.retries\n    a: web.inner.a\n    "
     "web: {added: {}}\n"},
    {"Words",
     "messages:\n"
     "  M:\n"
     "    plan: {by: text_table, values: {free: basic, trial: basic, pro: [premium, gold]}}\n"
     "    tags: {by: text_table, values: {a: b, b: a}, others: kept}\n"
     "    by: {by: text_table, values: {x: \"y z\"}, others: {old: x, new: none}}\n"
     "    color: {by: enum_name, values: {RED: [rouge, red]}, ignore_case: true}\n"
     "    size: {by: text_table, values: {Small: S, Large: [L, XL]}, ignore_case: true, others: "
     "kept}\n",
     "messages:\n"
     "  M:\n"
     "    plan: {by: text_table, values: {basic: [free, trial], premium: pro, gold: pro}}\n"
     "    tags: {by: text_table, values: {b: a}, others: kept}\n"
     "    by: {by: text_table, values: {\"y z\": x}, others: other}\n"
     "    color: {by: enum_name, values: {NONE: [none, \"no\"], RED: rouge}, others: NONE}\n"
     "    size: {by: text_table, values: {S: small}, others: loud}\n"},
    {"Names",
     "messages:\n"
     "  M:\n"
     "    name: {template: \"projects/{project}/locations/{l}/topics/{topic}\", to: [project, "
     "topic], parts: "
     "{l: {removed: graceful, back: global}}}\n"
     "    path: {template: \"a/{x}/b/{y}\", into: \"{x}:{z}\", parts: {y: {removed: graceful, "
     "back: \"1\"}, z: {added: here, back: loud}}}\n"
     "    shard: {template: \"{host}/shards/{n}/parts/{m}\", to: [host, n, m]}\n",
     "messages:\n"
     "  M:\n"
     "    name: {template: \"p/{project}/{topic}/{l}\", from: [project, topic], parts: {l: {added: "
     "here, "
     "back: graceful}}}\n"
     "    path: {template: \"{x}:{z}\", into: \"{z}/{x}\"}\n"
     "    shard: {template: \"{m}-{n}-{host}\", from: [m, n, host]}\n"},
    {"Names",
     "messages:\n"
     "  M:\n"
     "    name: {template: \"projects/{project}/locations/{l}/topics/{topic}\", to: [project, "
     "topic], parts: "
     "{l: {removed: loud, back: global}}}\n"
     "    path: {template: \"a/{x}/b/{y}\", into: \"{x}:{z}\", parts: {y: {removed: graceful, "
     "back: \"1\"}, z: {added: here, back: loud}}}\n"
     "    shard: {template: \"{host}/shards/{n}/parts/{m}\", to: [host, n, m]}\n",
     "messages:\n"
     "  M:\n"
     "    name: {template: \"p/{project}/{topic}/{l}\", from: [project, topic], parts: {l: {added: "
     "here, "
     "back: loud}}}\n"
     "    path: {template: \"{x}:{z}\", into: \"{z}/{x}\"}\n"
     "    shard: {template: \"{m}-{n}-{host}\", from: [m, n, host]}\n"},
    {"Meant",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {added: graceful}\n"
     "    days: {added: graceful}\n"
     "    pace: {added: graceful}\n"
     "    name: {added: graceful}\n",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {removed: graceful}\n"
     "    days: {removed: graceful}\n"
     "    pace: {removed: loud}\n"
     "    name: {removed: loud}\n"},
    {"Meant",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {added: 3}\n"
     "    days: {added: 3}\n"
     "    pace: {added: 3, back: loud}\n"
     "    name: {added: you}\n",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {removed: graceful, back: 3}\n"
     "    days: {removed: loud, ignored: 3}\n"
     "    pace: {removed: loud, ignored: 3, back: 4}\n"
     "    name: {removed: loud, back: you}\n"},
    {"Meant",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {constant: 3}\n"
     "    days: {constant: 3}\n"
     "    pace: {constant: 3}\n"
     "    name: {constant: you}\n",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {removed: loud, ignored: 3, back: loud}\n"
     "    days: {removed: graceful, back: 2}\n"
     "    pace: {removed: loud, ignored: 3, back: 2}\n"
     "    name: {removed: graceful, back: loud}\n"},
    {"Meant",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {added: loud, back: loud}\n"
     "    days: {added: loud, back: graceful}\n"
     "    pace: {added: graceful, back: loud}\n"
     "    name: {added: graceful, back: loud}\n",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    forever: {means: {true: {days: 0}}}\n"
     "    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
     "    named: {means: {true: {name: me}}}\n"
     "    max_attempts: {removed: graceful, back: -1}\n"
     "    days: {removed: loud, back: 0}\n"
     "    pace: {removed: loud, ignored: 10}\n"
     "    name: {removed: loud, ignored: me}\n"},
    {"MeantOne",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    max_attempts: {added: graceful}\n"
     "    other: {added: none}\n",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    max_attempts: {removed: graceful, back: 3}\n"
     "    other: {removed: loud}\n"},
    {"Meanings",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    format: {means: {AVRO: {avro: {}}, JSON: {json: {}}}}\n"
     "    forever: {means: {true: {days: -7}}}\n"
     "    speed: {means: {0: {pace: SLOW}, 9: {pace: FAST}}}\n",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    format: {means: {AVRO: {avro: {}}, JSON: {json: {}}}}\n"
     "    forever: {means: {true: {days: -7}}}\n"
     "    speed: {means: {0: {pace: SLOW}, 9: {pace: FAST}}}\n"},
    {"Meanings",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    format: {means: {AVRO: {avro: {}}, JSON: {json: {}}}, others: loud}\n"
     "    forever: {means: {true: {days: -7}}}\n"
     "    speed: {means: {0: {pace: SLOW}, 9: {pace: FAST}}}\n",
     "messages:\n"
     "  M:\n"
     "    unlimited: {means: {true: {max_attempts: -1}}}\n"
     "    format: {means: {AVRO: {avro: {}}, JSON: {json: {}}}, others: loud}\n"
     "    forever: {means: {true: {days: -7}}}\n"
     "    speed: {means: {0: {pace: SLOW}, 9: {pace: FAST}}}\n"},
    {"Merges",
     "messages:\n  M:\n    emails: {from: [primary, others], first: graceful}\n"
     "    items: {to: [item, more], first: graceful}\n"
     "    colors: {from: [color, colors], first: graceful, by: enum_name, values: {NONE: [none, "
     "\"no\"]}}\n"
     "    scores: {from: [best, scores], first: graceful}\n"
     "    phones: {from: [contact.phone, contact.phones], first: graceful}\n"
     "  Item: {a: b}",
     "messages:\n  M:\n    emails: {to: [primary, others], first: graceful}\n"
     "    items: {from: [item, more], first: graceful}\n"
     "    colors: {to: [color, colors], first: graceful, by: enum_name}\n"
     "    scores: {to: [best, scores], first: graceful}\n"
     "    phones: {to: [contact.phone, contact.phones], first: graceful}\n"
     "  Item: {b: a}"},
    {"Merges",
     "messages:\n  M:\n    emails: {from: [primary, others], first: loud}\n"
     "    items: {to: [item, more], first: graceful}\n"
     "    colors: {from: [color, colors], first: loud, by: enum_name, values: {NONE: [none, "
     "\"no\"]}}\n"
     "    scores: {from: [best, scores], first: loud}\n"
     "    phones: {from: [contact.phone, contact.phones], first: graceful}\n"
     "  Item: {a: b}",
     "messages:\n  M:\n    emails: {to: [primary, others], first: loud}\n"
     "    items: {from: [item, more], first: graceful}\n"
     "    colors: {to: [color, colors], first: loud, by: enum_name}\n"
     "    scores: {to: [best, scores], first: loud}\n"
     "    phones: {to: [contact.phone, contact.phones], first: graceful}\n"
     "  Item: {b: a}"},
    {"Keyed",
     "messages:\n  M:\n    labels: {key: name, duplicates: graceful}\n"
     "    prices: {key: id, duplicates: graceful}\n"
     "    tags: {key: on, value: text, by: text, duplicates: graceful}\n"
     "    nodes: {key: id, duplicates: graceful}\n"
     "  Label: {note: {removed: graceful}, color: {removed: graceful}}\n"
     "  Label to LabelValue: {note: text, extra: {added: graceful}}\n"
     "  Price to Priced: {cents: {by: text}}\n"
     "  Node: {nodes: {key: id, duplicates: graceful}, id: {removed: graceful}}\n",
     "messages:\n  M:\n    labels: {key: name, duplicates: graceful}\n"
     "    prices: {key: id, duplicates: graceful}\n"
     "    tags: {key: on, value: text, by: text, duplicates: graceful}\n"
     "    nodes: {key: id, duplicates: graceful}\n"
     "  Label: {note: {added: graceful}, color: {added: RED}}\n"
     "  LabelValue to Label: {text: note, extra: {removed: graceful}}\n"
     "  Priced to Price: {cents: {by: text}}\n"
     "  Node: {nodes: {key: id, duplicates: graceful}, id: {added: graceful}}\n"},
    {"Keyed",
     "messages:\n  M:\n    labels: {key: name, duplicates: loud}\n"
     "    prices: {key: id, duplicates: loud}\n"
     "    tags: {key: on, value: text, by: text, duplicates: loud}\n"
     "    nodes: {key: id, duplicates: loud}\n"
     "  Label: {note: {removed: graceful}, color: {removed: graceful}}\n"
     "  Label to LabelValue: {note: text, extra: {added: graceful}}\n"
     "  Price to Priced: {cents: {by: text}}\n"
     "  Node: {nodes: {key: id, duplicates: loud}, id: {removed: graceful}}\n",
     "messages:\n  M:\n    labels: {key: name, duplicates: loud}\n"
     "    prices: {key: id, duplicates: loud}\n"
     "    tags: {key: on, value: text, by: text, duplicates: loud}\n"
     "    nodes: {key: id, duplicates: loud}\n"
     "  Label: {note: {added: graceful}, color: {added: RED}}\n"
     "  LabelValue to Label: {text: note, extra: {removed: graceful}}\n"
     "  Priced to Price: {cents: {by: text}}\n"
     "  Node: {nodes: {key: id, duplicates: loud}, id: {added: graceful}}\n"},
    {"KeyedAlone", "messages: {M: {tags: {key: name, duplicates: graceful}}}",
     "messages: {M: {tags: {key: name, duplicates: loud}}}"},
    {"Boxed",
     "enums: {E: {B: C}}\nmessages:\n  M:\n    voucher: voucher.code\n    points: points.n\n"
     "    code: {to: code.inner.hex, by: hex}\n    e: e.e\n    note: note.text\n"
     "    plain: plain.text\n",
     "enums: {E: {C: B}}\nmessages:\n  M:\n    voucher.code: voucher\n    points.n: points\n"
     "    code.inner.hex: {to: code, by: hex}\n    e.e: e\n    note.text: note\n"
     "    plain.text: plain\n"},
    {"Unchosen", "messages: {M: {b: {by: seconds, round: graceful}}}",
     "messages: {M: {b: {by: seconds, round: graceful}}}"},
    {"Choice", "", ""},
    {"Chosen", "messages: {M: {b: {added: none}, limit: {sentinel: {new: -1}}}}",
     "messages: {M: {b: {removed: graceful}, limit: {zero: set}}}"},
    {"Types", "messages: {Line: {sku: code}}\ntypes: {Item: Line}",
     "messages: {Item: {code: sku}}\ntypes: {Line: Item}"},
    {"Strays",
     "types: {Item: Line, Promo: {removed: graceful}, Coupon: {removed: kept}, Gift: {added: "
     "graceful}}\nmessages: {Item: {sku: code}}",
     "types: {Line: Item, Gift: {removed: kept}, Coupon: {added: graceful}}\n"
     "messages: {Line: {code: sku}}"},
    {"Namesakes",
     "types: {Item: [{removed: graceful}, {added: loud}]}\n"
     "messages:\n  M: {item: {by: message}, gone: {removed: graceful}, fresh: {added: graceful}}\n"
     "  Item to Item: {a: b, n: {added: 7}}",
     "types: {Item: [{removed: loud}, {added: graceful}]}\n"
     "messages:\n  M: {item: {by: message}, fresh: {removed: graceful}, gone: {added: graceful}}\n"
     "  Item to Item: {b: a, n: {removed: graceful}}"},
    {"Deep", "messages: {M: {a: box.inner.b, c: box.inner.c}}",
     "messages: {M: {box.inner.b: a, box.inner.c: c}}"},
    {"Defaults",
     "enums: {Color: {RED: ROT}}\nmessages:\n  M:\n"
     "    unit: {to: weight_unit, required: kg, optional: \"\"}\n"
     "    on: {required: true, optional: graceful}\n    limit: {required: 5, optional: 7}\n",
     "enums: {Color: {ROT: RED}}\nmessages:\n  M:\n"
     "    weight_unit: {to: unit, required: loud, optional: g}\n"
     "    on: {required: false, optional: true}\n    limit: {required: 7, optional: 5}\n"},
    {"Needed", "messages: {M: {a: {required: 4}, b: {optional: loud}, c: d}}",
     "messages: {M: {a: {optional: 0}, b: {required: 2}, d: c}}"},
    {"Masks", "messages: {Thing: {name: title}, Get: {read_mask: {of: Thing}}}",
     "messages: {Thing: {title: name}, Get: {read_mask: {of: Thing}}}"},
    {"Parted", PARTED(""), PARTED_BACK("")},
    {"Parted", PARTED(", wider: graceful"), PARTED_BACK(", wider: graceful")},
    {"Tree", "messages: {Node: {name: label}}", "messages: {Node: {label: name}}"},
    {"Same", "", ""},
};
enum { N_OPERATIONS = sizeof operations / sizeof *operations };

static void tell_problems(Loaded *loaded, const Operation *operation, const Problems *problems)
{
    Buffer text = buffer_in(loaded->arena);
    problems_print(problems, &text);
    if (problems->n)
        fail_msg("%s: %.*s", operation->kind, BYTES_ARGS(buffer_bytes(&text)));
}

/* v1 is Old, v2 is New, v3 is Old again. */
static void make_chain(Loaded *loaded, const Operation *operation, const ChangeList **lists)
{
    ChangeSide sides[3];
    Problems problems = problems_in(loaded->arena);
    both_sides(loaded, operation->kind, &sides[0], &sides[1]);
    sides[2] = (ChangeSide){"v3", loaded->schema, sides[0].package};
    const char *yaml[2] = {arena_printf(loaded->arena, "from: v1\nto: v2\n%s", operation->there),
                           arena_printf(loaded->arena, "from: v2\nto: v3\n%s", operation->back)};
    for (int i = 0; i < 2; i++)
        assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(yaml[i]), "list.yaml",
                                              &sides[i], &sides[i + 1], &problems, &lists[i]));
    tell_problems(loaded, operation, &problems);
}

static void prove(Loaded *loaded, const Operation *operation, const ChangeList *const *lists,
                  uint32_t n_lists)
{
    ProveOptions options = {.n_messages = MESSAGES, .seed = 1, .json = true};
    ProveOutcome outcome;
    assert_ok(loaded->arena, prove_chain(loaded->arena, lists, n_lists, &options, &outcome));
    if (outcome.disproved)
        fail_msg("%s: %.*s", operation->kind, BYTES_ARGS(outcome.counter_example));
    if (outcome.n_converted < MESSAGES / 10)
        fail_msg("%s: only %u of %u messages came through", operation->kind,
                 (unsigned)outcome.n_converted, (unsigned)outcome.n_run);
}

static void plans_do_what_each_list_says(void **state)
{
    for (size_t i = 0; i < N_OPERATIONS; i++) {
        const ChangeList *lists[2];
        make_chain(*state, &operations[i], lists);
        prove(*state, &operations[i], &lists[0], 1);
        prove(*state, &operations[i], &lists[1], 1);
    }
}

static void a_composed_chain_is_its_lists_one_after_another(void **state)
{
    for (size_t i = 0; i < N_OPERATIONS; i++) {
        const ChangeList *lists[2];
        make_chain(*state, &operations[i], lists);
        prove(*state, &operations[i], lists, 2);
    }
}

/* From Old over New to Flat, which takes apart what New was given. */
static void what_one_list_makes_the_next_takes_apart(void **state)
{
    Loaded *loaded = *state;
    ChangeSide sides[3];
    Problems problems = problems_in(loaded->arena);
    const ChangeList *lists[2];
    Operation parts = {.kind = "Parts"};
    both_sides(loaded, "Parts", &sides[0], &sides[1]);
    sides[2] = (ChangeSide){"v3", loaded->schema, "changes.Parts.Flat"};
    const char *there = "from: v1\nto: v2\n"
                        "messages:\n"
                        "  M:\n"
                        "    items: {to: item, more: graceful}\n"
                        "    cents: {to: total, by: cents_to_money, currency: currency}\n"
                        "    gift: {required: {sku: rose, size: {height: 0}}}\n"
                        "    extra: {added: {sku: free}}\n";
    const char *on = "from: v2\nto: v3\n"
                     "messages:\n"
                     "  M:\n"
                     "    item.sku: sku\n    item.count: count\n    item.tags: tags\n"
                     "    item.a: a\n    item.b: b\n    item.sizes: sizes\n"
                     "    item.size.width: width\n    item.size.height: height\n"
                     "    total.units: units\n    total.nanos: nanos\n"
                     "    total.currency_code: currency\n"
                     "    gift.count: gift_count\n    gift.size: gift_size\n"
                     "    gift.sku: {removed: graceful}\n    gift.tags: {removed: graceful}\n"
                     "    gift.a: {removed: graceful}\n    gift.b: {removed: graceful}\n"
                     "    gift.sizes: {removed: graceful}\n    extra.sizes: {removed: graceful}\n"
                     "    extra.sku: extra_sku\n    extra.count: {removed: graceful}\n"
                     "    extra.tags: {removed: graceful}\n    extra.size: {removed: graceful}\n"
                     "    extra.a: {removed: graceful}\n    extra.b: {removed: graceful}\n";
    assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(there), "v1-v2.yaml", &sides[0],
                                          &sides[1], &problems, &lists[0]));
    assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(on), "v2-v3.yaml", &sides[1],
                                          &sides[2], &problems, &lists[1]));
    tell_problems(loaded, &parts, &problems);
    prove(loaded, &parts, lists, 2);
}

/* What is renamed and renamed back is nothing to do at all. */
static void a_longer_chain_is_no_larger(void **state)
{
    Loaded *loaded = *state;
    static const char *const kinds[] = {"Rename", "Swap", "Tree", "Same"};
    for (size_t i = 0; i < N_OPERATIONS; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            if (strcmp(operations[i].kind, kinds[k]) != 0)
                continue;
            const ChangeList *lists[2];
            const MappingSet *set;
            Problems problems = problems_in(loaded->arena);
            make_chain(loaded, &operations[i], lists);
            assert_ok(loaded->arena,
                      changes_compose(loaded->arena, lists, 2, true, &problems, &set));
            assert_true(set->mappings[0]->same_wire);
        }
    }
}

/* The proof can fail: a list that says one thing, held against plans of another. */
static void a_wrong_plan_is_disproved(void **state)
{
    Loaded *loaded = *state;
    const ChangeList *lists[2];
    make_chain(loaded, &operations[1], lists);
    const MappingSet *set;
    Problems problems = problems_in(loaded->arena);
    assert_ok(loaded->arena, changes_compose(loaded->arena, lists, 1, true, &problems, &set));
    Rule *rules = (Rule *)(uintptr_t)set->mappings[0]->rules;
    const Expr *first = rules[0].value;
    rules[0].value = rules[1].value;
    rules[1].value = first;
    ProveOptions options = {.n_messages = MESSAGES, .seed = 1};
    ProveOutcome outcome;
    assert_ok(loaded->arena, prove_chain(loaded->arena, lists, 1, &options, &outcome));
    assert_true(outcome.disproved);
    /* Shrunk to one field of the two. */
    const char *told = arena_text(loaded->arena, outcome.counter_example);
    assert_non_null(strstr(told, "message: {"));
    assert_true(!strstr(told, "a: ") || !strstr(told, " b: "));
}

/* An Any of a type that nobody knows. */
static Tree *any_with(Loaded *loaded, Bytes content)
{
    const MessageType *type = schema_message(loaded->schema, bytes_of("google.protobuf.Any"));
    Tree *any = tree_new(loaded->arena, type);
    TreeValue url = {.plain = {.bytes = bytes_of("x/no.Such")}};
    tree_put(loaded->arena, any, message_field_by_number(type, 1), url);
    tree_put(loaded->arena, any, message_field_by_number(type, 2),
             (TreeValue){.plain = {.bytes = content}});
    return any;
}

static void fields_of_an_unknown_type_are_compared_in_any_order(void **state)
{
    Loaded *loaded = *state;
    TreeTypes none = {0};
    const Tree *one = any_with(loaded, bytes("\x08\x01\x12\x04\x08\x01\x10\x02", 8));
    assert_true(
        tree_equal(&none, one, any_with(loaded, bytes("\x12\x04\x10\x02\x08\x01\x08\x01", 8))));
    assert_false(
        tree_equal(&none, one, any_with(loaded, bytes("\x12\x04\x10\x01\x08\x02\x08\x01", 8))));
    /* Those of one number have their order. */
    assert_false(tree_equal(&none, any_with(loaded, bytes("\x08\x01\x08\x02", 4)),
                            any_with(loaded, bytes("\x08\x02\x08\x01", 4))));
    assert_false(tree_equal(&none, any_with(loaded, bytes("\x08\x01", 2)),
                            any_with(loaded, bytes("\x08\x01\x08\x01", 4))));
}

/* Plans and the oracle agree on what is dropped; that nothing counts it shows when it is missed. */
static void a_loss_that_nothing_declares_is_disproved(void **state)
{
    Loaded *loaded = *state;
    const ChangeList *lists[2];
    Problems problems = problems_in(loaded->arena);
    const MappingSet *set;
    Operation gone = {.kind = "Gone",
                      .there = "messages:\n  M:\n    comment: {removed: graceful}\n"
                               "    level: {removed: graceful}\n    currency: {added: EUR}\n"
                               "    region: {added: graceful}",
                      .back = "messages:\n  M:\n    comment: {added: graceful}\n"
                              "    level: {added: graceful}\n    currency: {removed: graceful}\n"
                              "    region: {removed: graceful}"};
    make_chain(loaded, &gone, lists);
    prove(loaded, &gone, lists, 1);
    assert_ok(loaded->arena, changes_compose(loaded->arena, lists, 1, true, &problems, &set));
    ((Mapping *)(uintptr_t)set->mappings[0])->n_guards--; /* of level */
    ProveOptions options = {.n_messages = MESSAGES, .seed = 1};
    ProveOutcome outcome;
    assert_ok(loaded->arena, prove_chain(loaded->arena, lists, 1, &options, &outcome));
    assert_true(outcome.disproved);
    const char *told = arena_text(loaded->arena, outcome.counter_example);
    assert_non_null(strstr(told, "Gone.Old.M.level is lost, and nothing declares it"));
    assert_null(strstr(told, "comment"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_do_what_each_list_says),
        cmocka_unit_test(a_composed_chain_is_its_lists_one_after_another),
        cmocka_unit_test(what_one_list_makes_the_next_takes_apart),
        cmocka_unit_test(a_longer_chain_is_no_larger),
        cmocka_unit_test(a_wrong_plan_is_disproved),
        cmocka_unit_test(a_loss_that_nothing_declares_is_disproved),
        cmocka_unit_test(fields_of_an_unknown_type_are_compared_in_any_order),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
