"""Proves the examples of docs/changes.md: each block of YAML, and each change in the tables.

usage: documented.py PROTOC PROTOBUF_INCLUDE PROVE_CORPUS MESSAGES

SCHEMAS has what the old and the new version are for each example. An example that is not there fails, and so does one that
the page no longer has.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

PAGE = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'changes.md'
IMPORTS = ('any', 'duration', 'empty', 'field_mask', 'struct', 'timestamp', 'wrappers')
T, D, W = 'google.protobuf.Timestamp', 'google.protobuf.Duration', 'google.protobuf.StringValue'
MONEY = 'message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }'
DATE = 'message Date { int32 year = 1; int32 month = 2; int32 day = 3; }'


def both(more):
    return more, more


# By the first words of the block: (old, new), and what makes it whole where the page shows a part of a list.
BLOCKS = {
    'messages: Order: buyer': (
        ('message Order { string buyer = 1; string comment = 2; }', 'message Order { string customer = 1; }'), ''),
    'from: v1': (both('message M { string a = 1; }'), ''),
    'types: {Item: Line, Status': (
        ('message Item { string a = 1; } enum Status { NONE = 0; }',
         'message Line { string a = 1; } enum State { NONE = 0; }'), ''),
    'types: Promo:': (
        ('message M { google.protobuf.Any a = 1; } message Promo {} message Coupon {} message Flyer {}',
         'message M { google.protobuf.Any a = 1; } message Gift {}'), ''),
    'types: {Item: [{removed': (
        ('message M { Item item = 1; } message Item { string a = 1; }',
         'message M { Item item = 1; } message Item { int32 b = 1; }'),
        'messages: {M: {item: [{removed: graceful}, {added: graceful}]}}'),
    'messages: Order: {address': (
        ('message Order { Address address = 1; Address other = 2; } message Address { string street = 1; }',
         'message Order { PostalAddress address = 1; Address other = 2; } message Address { string street = 1; } '
         'message PostalAddress { string line_1 = 1; }'), ''),
    'messages: Queue: web.routing': (
        ('message Queue { Web web = 1; } message Web { Routing routing = 1; } message Routing { string host = 1; }',
         'message Queue { Routing routing = 1; } message Routing { string host = 1; }'), ''),
    'messages: Order: labels: {key': (
        ('message Order { repeated Label labels = 1; repeated Size sizes = 2; } '
         'message Label { string name = 1; string text = 2; } message Size { string name = 1; int32 width = 2; }',
         'message Order { map<string, LabelValue> labels = 1; map<string, int32> sizes = 2; } '
         'message LabelValue { string content = 1; }'), ''),
    'messages: Order: net: {by': (
        ('message Order { int64 net = 1; int64 tax = 2; string code = 3; }',
         f'message Order {{ Money net = 1; Money tax = 2; }} {MONEY}'), ''),
    'messages: Payment:': (
        ('message Payment { Kind kind = 1; string value = 2; } enum Kind { NONE = 0; CARD = 1; BANK = 2; }',
         'message Payment { oneof means { string card = 1; string bank = 2; } }'), ''),
    'messages: UpdateOrderRequest:': (
        ('message Order { int32 count = 1; } message UpdateOrderRequest { Order order = 1; '
         'google.protobuf.FieldMask update_mask = 2; }',
         'message Order { int64 count = 1; } message UpdateOrderRequest { Order order = 1; '
         'google.protobuf.FieldMask update_mask = 2; }'), ''),
    'messages: Retry:': (
        ('message Retry { bool unlimited = 1; } message Sink { Format format = 1; } '
         'enum Format { NONE = 0; AVRO = 1; JSON = 2; }',
         'message Retry { int32 max_attempts = 1; } '
         'message Sink { oneof format_of { Avro avro_format = 1; Json json_format = 2; } } message Avro {} message Json {}'),
        ''),
    'messages: Order: total_cents': (
        ('message Order { int64 total_cents = 1; }',
         'message Order { Money total = 1; } message Money { int64 units = 1; int32 nanos = 2; }'), ''),
    'messages: Account:': (
        ('message Account { string plan = 1; Color color = 2; } enum Color { NONE = 0; RED = 1; }',
         'message Account { string plan = 1; string color = 2; }'), 'OTHERS'),
    'messages: Topic: name: {template': (
        ('message Topic { string name = 1; string project_id = 2; string topic_id = 3; string path = 4; }',
         'message Topic { string project = 1; string topic = 2; string key = 3; string path = 4; }'), ''),
    'messages: Topic: name: template': (
        ('message Topic { string name = 1; string path = 4; }',
         'message Topic { string project = 1; string topic = 2; string path = 4; }'), ''),
    'enums: Status:': (
        ('message M { Status status = 1; } '
         'enum Status { NONE = 0; PENDING = 1; WAITING = 2; LOST = 3; OLD = 4; DONE = 5; } '
         'message N { Color color = 1; } enum Color { UNKNOWN = 0; PINK = 1; }',
         'message M { Status status = 1; } message N { Color color = 1; } enum Color { UNKNOWN = 0; } '
         'enum Status { NONE = 0; QUEUED = 1; DONE = 2; HELD = 3; CANCELLED = 4; }'), ''),
    'methods: Orders.Get: Catalog': (
        ('message M { string a = 1; } '
         'service Orders { rpc Get(M) returns (M); rpc List(M) returns (M); rpc Purge(M) returns (M); }',
         'message M { string a = 1; } '
         'service Catalog { rpc Fetch(M) returns (M); rpc List(M) returns (M); } '
         'service Orders { rpc Import(M) returns (M); }'), ''),
    'messages: GetRequest to': (
        ('message GetRequest { string id = 1; string view = 2; } message Booking { string id = 1; } '
         'service S { rpc Get(GetRequest) returns (Booking); rpc Cancel(GetRequest) returns (Booking); }',
         'message GetRequest { string id = 1; string view = 2; } message CancelRequest { string booking_id = 1; } '
         'message Booking { string id = 1; } '
         'service S { rpc Get(GetRequest) returns (Booking); rpc Cancel(CancelRequest) returns (Booking); }'), ''),
}

# What stands for itself elsewhere in the tests: it needs google.longrunning, or a config.
ELSEWHERE = ('messages: Result to Purchase', 'methods: google.longrunning')


def message(old, new, more=''):
    return f'message M {{ {old} }} {more}', f'message M {{ {new} }} {more}'


# By the change in a table's row.
ROWS = {
    'customer: customer_id': message('string customer = 1;', 'string customer_id = 1;'),
    'street: shipping.street': message('string street = 1;', 'S shipping = 1;', 'message S { string street = 1; }'),
    'shipping.street: street': message('S shipping = 1;', 'string street = 1;', 'message S { string street = 1; }'),
    'shipping: delivery.address': message('S shipping = 1;', 'D delivery = 1;',
                                          'message S { string a = 1; } message D { S address = 1; }'),
    'comment: {removed: graceful}': message('string comment = 1;', ''),
    'comment: {removed: loud}': message('string comment = 1;', ''),
    'level: {removed: loud, ignored: 1, back: 3}': message('int32 level = 1;', ''),
    'currency: {added: EUR}': message('', 'string currency = 1;'),
    'currency: {added: graceful}': message('', 'string currency = 1;'),
    'region: {added: loud, back: loud}': message('', 'string region = 1;'),
    'currency: {required: EUR}': message('string currency = 1;', 'string currency = 1;'),
    'buyer: {required: loud}': message('string buyer = 1;', 'string buyer = 1;'),
    'zip: {optional: loud}': message('string zip = 1;', 'string zip = 1;'),
    'api: {constant: "2"}': message('', 'string api = 1;'),
    'kind: [{removed: graceful}, {added: graceful}]': message('string kind = 1;', 'int32 kind = 2;'),
    'count: {zero: set}': message('int32 count = 1;', 'optional int32 count = 1;'),
    'limit: {sentinel: -1}': message('int32 limit = 1;', 'optional int32 limit = 1;'),
    'limit: {sentinel: {new: 0}}': message('optional int32 limit = 1;', 'int32 limit = 1;'),
    'item: {to: items, more: loud}': message('string item = 1;', 'repeated string items = 1;'),
    'items: {to: item, more: graceful}': message('repeated string items = 1;', 'string item = 1;'),
    'emails: {from: [primary_email, other_emails], first: loud}': message(
        'string primary_email = 1; repeated string other_emails = 2;', 'repeated string emails = 1;'),
    'emails: {to: [primary_email, other_emails], first: graceful}': message(
        'repeated string emails = 1;', 'string primary_email = 1; repeated string other_emails = 2;'),
    'labels: {key: name, duplicates: loud}': message('repeated L labels = 1;', 'map<string, string> labels = 1;',
                                                     'message L { string name = 1; string text = 2; }'),
    'labels: {to: label_list, key: name, duplicates: graceful}': message(
        'map<string, string> labels = 1;', 'repeated L label_list = 1;', 'message L { string name = 1; string text = 2; }'),
}

# By the converter: the change of the field `a`, and its two types.
CONVERTERS = {
    'number': ('{by: number}', 'int64 a = 1;', 'double a = 1;', ''),
    'scale': ('{by: scale, divided_by: 1000}', 'int64 a = 1;', 'int64 a = 1;', ''),
    'text': ('{by: text}', 'int64 a = 1;', 'string a = 1;', ''),
    'enum': ('{by: enum}', 'E a = 1; E b = 2; F c = 3;', 'F a = 1; E b = 2; F c = 3;',
             'enum E { NONE = 0; RED = 1; } enum F { EMPTY = 0; ROT = 1; }'),
    'enum_name': ('{by: enum_name, values: {RED: rouge}, others: loud}', 'E a = 1;', 'string a = 1;',
                  'enum E { NONE = 0; RED = 1; }'),
    'text_table': ('{by: text_table, values: {free: basic}, others: loud}', 'string a = 1;', 'string a = 1;', ''),
    'flag': ('{by: flag, values: {false: OFF, true: ON}, others: loud}', 'bool a = 1;', 'E a = 1;',
             'enum E { X = 0; ON = 1; OFF = 2; }'),
    'utf8': ('{by: utf8}', 'bytes a = 1;', 'string a = 1;', ''),
    'base64': ('{by: base64}', 'bytes a = 1;', 'string a = 1;', ''),
    'hex': ('{by: hex}', 'bytes a = 1;', 'string a = 1;', ''),
    'wrapper': ('{by: wrapper}', 'string a = 1;', f'{W} a = 1;', ''),
    'nanoseconds': ('{by: nanoseconds}', f'{D} a = 1;', 'int64 a = 1;', ''),
    'days': ('{by: days, round: graceful}', f'{T} a = 1;', 'int64 a = 1;', ''),
    'time_text': ('{by: time_text}', f'{T} a = 1;', 'string a = 1;', ''),
    'date': ('{by: date, round: graceful}', f'{T} a = 1;', 'Date a = 1;', DATE),
    'date_text': ('{by: date_text}', 'Date a = 1;', 'string a = 1;', DATE),
    'cents_to_money': ('{by: cents_to_money, currency: EUR}', 'int64 a = 1;', 'Money a = 1;', MONEY),
    'units_': ('{by: units_to_money, currency: EUR, round: graceful}', 'int64 a = 1;', 'Money a = 1;', MONEY),
    'mills_': ('{by: mills_to_money, currency: EUR}', 'int64 a = 1;', 'Money a = 1;', MONEY),
    'micros_': ('{by: micros_to_money, currency: EUR}', 'int64 a = 1;', 'Money a = 1;', MONEY),
    'nanos_to_money': ('{by: nanos_to_money, currency: EUR}', 'int64 a = 1;', 'Money a = 1;', MONEY),
    'serialized': ('{by: serialized}', 'S a = 1;', 'bytes a = 1;', 'message S { string x = 1; }'),
    'message': ('{by: message}', 'S a = 1; S b = 2; R c = 3;', 'R a = 1; S b = 2; R c = 3;',
                'message S { string x = 1; } message R { string x = 1; }'),
}


def key_of(block):
    return ' '.join(block.split())


def blocks(page):
    for block in re.findall(r'^```yaml\n(.*?)^```', page, re.S | re.M):
        words = key_of(block)
        if words.startswith(ELSEWHERE):
            continue
        keys = [key for key in BLOCKS if words.startswith(key)]
        if len(keys) != 1:
            yield block.splitlines()[0], None, None, None
            continue
        (old, new), more = BLOCKS.pop(keys[0])
        if more == 'OTHERS':  # the page says of both texts what others become only once
            block, more = block.replace('ignore_case: true}', 'ignore_case: true, others: loud}'), ''
        yield keys[0], re.sub(r' *# decide:.*', '', block) + more, old, new


def rows(page):
    for line in re.findall(r'^\| .* \|$', page, re.M):
        for change in [change for change in ROWS if f'`{change}`' in line]:
            old, new = ROWS.pop(change)
            yield change, f'messages: {{M: {{{change}}}}}', old, new
        for name in [name for name in CONVERTERS if f'`{name}`' in line]:
            change, old, new, more = CONVERTERS.pop(name)
            enums = 'enums: {E to F: {NONE: EMPTY, RED: ROT}}\n' if name == 'enum' else ''
            yield f'by: {name}', f'{enums}messages: {{M: {{a: {change}}}}}', *message(old, new, more)


def proved(tools, name, changes, old, new):
    """Is the list of this example taken, and do plans and oracle agree on it?"""
    protoc, include, prove, messages = tools
    with tempfile.TemporaryDirectory() as folder:
        sides = []
        for version, content in ('v1', old), ('v2', new):
            imports = ''.join(f'import "google/protobuf/{it}.proto";\n' for it in IMPORTS)
            path = pathlib.Path(folder) / f'{version}.proto'
            path.write_text(f'syntax = "proto3";\npackage doc.{version};\n{imports}{content}\n')
            subprocess.run([protoc, f'-I{folder}', f'-I{include}', '--include_imports', f'-o{folder}/{version}.binpb', path],
                           check=True, stderr=subprocess.DEVNULL)  # imports that are not used
            sides += [f'{folder}/{version}.binpb', f'doc.{version}']
        path = pathlib.Path(folder) / 'list.yaml'
        path.write_text(changes if 'from: v1' in changes else f'from: v1\nto: v2\n{changes}\n')
        run = subprocess.run([prove, messages, *sides, path], capture_output=True, text=True)
        if run.returncode:
            print(f'{name}: NOT PROVED\n{path.read_text()}{run.stdout}{run.stderr}')
        return run.returncode == 0


def main(*tools):
    page = PAGE.read_text()
    n, bad = 0, 0
    for name, changes, old, new in (*blocks(page), *rows(page)):
        n += 1
        if changes is None:
            print(f'{name}: no schemas for this example')
        bad += changes is None or not proved(tools, name, changes, old, new)
    for name in (*BLOCKS, *ROWS, *CONVERTERS):
        print(f'{name}: no such example')
        bad += 1
    print(f'{n} examples, {bad} of them wrong')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
