"""Writes the config reference from the comments of config.proto.

config_reference.py PROTOC ROOT PROTOBUF_INCLUDE: the text of docs/config.md to the standard output.
config_reference.py --check ...: 1 when docs/config.md says anything else.
"""
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

Field = descriptor_pb2.FieldDescriptorProto
OPTIONS = {50100: 'bare', 50101: 'spelled', 50102: 'needed', 50103: 'least', 50104: 'most', 50105: 'replaced_by', 50106: 'secret', 50107: 'deprecated_for'}
DURATION, SIZE, DATE, TREE, FILE = range(1, 6)
KINDS = {
    Field.TYPE_STRING: 'text', Field.TYPE_BOOL: '`true` or `false`', Field.TYPE_UINT32: 'number',
    Field.TYPE_UINT64: 'number', Field.TYPE_DOUBLE: 'number', Field.TYPE_INT64: 'number',
}
SPELLINGS = {DURATION: 'time', SIZE: 'size', DATE: 'date', TREE: 'any value', FILE: 'file'}
UNITS = [('h', 3600 * 10**9), ('m', 60 * 10**9), ('s', 10**9), ('ms', 10**6), ('us', 10**3), ('ns', 1)]

HEAD = '''# The config

<!-- Made from gateway/config/config.proto by docs/config_reference.py: change it there. -->

A gateway is configured by one YAML file. `passerelle check CONFIG` prints every mistake in it, with its line, its path and a
suggestion. `passerelle run CONFIG` refuses a config that `check` refuses, with one exception: doubts, which are mistakes that
do no harm (an obsolete key, an instance that is the gateway itself), are only logged, as the event `config_doubtful`. A
running gateway reads the file again on `SIGHUP`; if the new config is refused, the running one stays.

```yaml
listen:
  - address: 0.0.0.0:8080                       # every protocol, one port
  - address: 0.0.0.0:8443
    tls: {certificate: server.pem, key: server.key}
admin: {address: 127.0.0.1:9901}

services:
  - name: orders
    versions:                                   # oldest first
      - {name: v1, package: shop.orders.v1, schema: orders.binpb, deprecated: 2026-03-01, sunset: 2027-03-01}
      - {name: v2, package: shop.orders.v2, schema: orders.binpb}
      - {name: v3, package: shop.orders.v3, schema: orders.binpb}
    changes: [orders-v1-v2.yaml, orders-v2-v3.yaml]
    instances:
      - {address: 127.0.0.1:7001, protocol: grpc, versions: [v1]}
      - {address: 127.0.0.1:7003, protocol: grpc, versions: [v3], build: 3.1.0}

routes:
  - {match: orders, impact: high, timeout: 2s, on_failure: loud}
  - match: orders.Orders/ListRecommendations
    impact: low
    on_failure: {graceful: {default: {lines: []}}}
```

Keys have exactly the spelling below; an unknown key is a mistake. Formats of values:

- **time**: `250ms`, `2s`, `1h30m`; units `d`, `h`, `m`, `s`, `ms`, `us`, `ns`.
- **size**: `65536`, `64KiB`, `4MiB`; `kB`, `MB`, `GB` count by 1000.
- **date**: `2026-03-01` (midnight UTC), or `2026-03-01T12:00:00Z`.
- **file**: a name, relative to the file that contains it.

Duplicate keys and tags of YAML are mistakes. [config-files.md](config-files.md) is about several files, anchors and aliases.
'''


def descriptor(protoc, root, include):
    with tempfile.TemporaryDirectory() as made:
        out = pathlib.Path(made) / 'set'
        subprocess.run([protoc, f'-I{root}', f'-I{include}', '--include_source_info',
                        f'--descriptor_set_out={out}', 'gateway/config/config.proto'], check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def options(item):
    """Our own options, which Python's descriptor classes do not know: varints, and one text."""
    data, at, found = item.options.SerializeToString(), 0, {}
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value].decode(), at + value
        found[OPTIONS.get(tag >> 3)] = value
    return found


def spelled(number, spelling):
    if spelling == SIZE:
        for unit, worth in ('GiB', 1 << 30), ('MiB', 1 << 20), ('KiB', 1 << 10):
            if number and number % worth == 0:
                return f'{number // worth}{unit}'
    if spelling == DURATION and number:
        text = ''
        for unit, worth in UNITS:
            if number >= worth:
                text += f'{number // worth}{unit}'
                number %= worth
        return text
    return str(number)


class Reference:
    def __init__(self, file):
        self.file = file
        self.messages = {f'.{file.package}.{m.name}': m for m in file.message_type}
        self.enums = {f'.{file.package}.{e.name}': e for e in file.enum_type}
        self.comments = {tuple(place.path): ' '.join(place.leading_comments.split())
                         for place in file.source_code_info.location}
        self.lines = [HEAD]

    def words(self, enum):
        prefix = ''.join('_' + c if c.isupper() and i else c for i, c in enumerate(enum.name)).upper() + '_'
        return [value.name.removeprefix(prefix).lower() for value in enum.value]

    def entry(self, message, field):
        return next((n for n in message.nested_type if field.type_name.endswith('.' + n.name)), None)

    def kind(self, message, field, said):
        if entry := self.entry(message, field):
            value = entry.field[1]
            of_messages = value.type == Field.TYPE_MESSAGE
            return f'map from text to {self.kind(entry, value, {}) if of_messages else "text"}'
        if said.get('spelled'):
            kind = SPELLINGS[said['spelled']]
        elif field.type == Field.TYPE_MESSAGE:
            type = self.messages[field.type_name]
            kind = f'[{type.name}](#{type.name.lower()})' if type.field else 'nothing'
        elif field.type == Field.TYPE_ENUM:
            name = self.enums[field.type_name].name
            kind = f'[{name}](#{name.lower()})'
        else:
            kind = KINDS[field.type]
        return f'list of {kind}' if field.label == Field.LABEL_REPEATED else kind

    def default(self, field, said):
        if said.get('needed'):
            return 'required'
        if not field.HasField('default_value'):
            return ''
        if field.type == Field.TYPE_ENUM:
            enum = self.enums[field.type_name]
            names = [value.name for value in enum.value]
            return f'`{self.words(enum)[names.index(field.default_value)]}`'
        if said.get('spelled'):
            return f'`{spelled(int(field.default_value), said["spelled"])}`'
        return f'`{field.default_value}`'

    def bounds(self, said):
        parts = [f'at {word} {spelled(said[word], said.get("spelled"))}' for word in ('least', 'most')
                 if word in said]
        return f' ({", ".join(parts)})' if parts else ''

    def message(self, index, message):
        self.lines += [f'## {message.name}', '', self.comments[(4, index)], '',
                       '| key | value | default | meaning |', '|---|---|---|---|']
        for at, field in enumerate(message.field):
            said = options(field)
            if 'replaced_by' in said:
                continue
            meaning = self.comments[(4, index, 2, at)].replace('|', '\\|')
            if 'deprecated_for' in said:
                meaning = f'**Deprecated:** write `{said["deprecated_for"]}`. {meaning}'
            self.lines.append(f'| `{field.name}` | {self.kind(message, field, said)}{self.bounds(said)} '
                              f'| {self.default(field, said)} | {meaning} |')
        self.lines.append('')

    def enum(self, index, enum):
        self.lines += [f'## {enum.name}', '', self.comments[(5, index)], '', '| word | meaning |', '|---|---|']
        for at, word in enumerate(self.words(enum)):
            self.lines.append(f'| `{word}` | {self.comments[(5, index, 2, at)]} |')
        self.lines.append('')

    def text(self):
        for index, message in enumerate(self.file.message_type):
            if message.field:
                self.message(index, message)
        for index, enum in enumerate(self.file.enum_type):
            self.enum(index, enum)
        return '\n'.join(self.lines).rstrip() + '\n'


def main(arguments):
    check = arguments[0] == '--check'
    protoc, root, include = arguments[check:]
    text = Reference(descriptor(protoc, root, include)).text()
    if not check:
        sys.stdout.write(text)
    elif text != (pathlib.Path(root) / 'docs/config.md').read_text():
        sys.exit('docs/config.md is not what config.proto says: make it with docs/config_reference.py')


if __name__ == '__main__':
    main(sys.argv[1:])
