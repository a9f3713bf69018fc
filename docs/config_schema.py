"""Writes a JSON Schema (draft 2020-12) of the config from config.proto and its comments: editors complete and check with it.

config_schema.py PROTOC ROOT PROTOBUF_INCLUDE: the schema to the standard output. `passerelle config schema` prints it.
"""
import json
import sys

from config_reference import DATE, DURATION, FILE, SIZE, TREE, Field, Reference, descriptor, options, spelled

TEXT = ['string', 'number', 'boolean']  # YAML's plain scalars become texts where a text is wanted
VARIABLE = {'type': 'string', 'pattern': r'\$\{'}
TIME = r'^(([0-9]+(\.[0-9]+)?(d|h|ms|us|ns|m|s))+|0)$|\$\{'
BYTES = r'^[0-9]+(\.[0-9]+)?(KiB|MiB|GiB|kB|KB|MB|GB|B)?$|\$\{'
DAY = r'^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].*)?$|\$\{'
SECRET = {'type': 'object', 'properties': {'file': {'type': 'string', 'description': 'The file that has it, relative to this one.'}},
          'required': ['file'], 'additionalProperties': False}
LEAST = {Field.TYPE_UINT32: 0, Field.TYPE_UINT64: 0}


class ConfigSchema(Reference):
    def is_words(self, message):
        """The option `words` of a message; fields have another option of this number."""
        return 'bare' in options(message)

    def number(self, field, said):
        bounds = {'minimum': said.get('least', LEAST.get(field.type)), 'maximum': said.get('most')}
        return {'anyOf': [{'type': 'integer', **{key: value for key, value in bounds.items() if value is not None}}, VARIABLE]}

    def plain(self, field, said):
        """A value that is no list and no map of values."""
        spelling = said.get('spelled')
        if spelling == TREE:
            return {}
        if spelling == DURATION:  # a number without a unit is none, but for 0
            return {'anyOf': [{'const': 0}, {'type': 'string', 'pattern': TIME}]}
        if spelling == SIZE:
            return {'type': ['string', 'integer'], 'pattern': BYTES}
        if spelling == DATE:
            return {'type': 'string', 'pattern': DAY}
        if field.type == Field.TYPE_MESSAGE:
            return {'$ref': '#/$defs/' + self.messages[field.type_name].name}
        if field.type == Field.TYPE_ENUM:
            return {'$ref': '#/$defs/' + self.enums[field.type_name].name}
        if field.type == Field.TYPE_BOOL:
            return {'anyOf': [{'type': 'boolean'}, VARIABLE]}
        if field.type in (Field.TYPE_STRING, Field.TYPE_BYTES):
            text = {'type': ['string'] if spelling == FILE else TEXT}
            return {'anyOf': [text, SECRET]} if said.get('secret') else text
        if field.type == Field.TYPE_DOUBLE:
            return {'anyOf': [{'type': 'number'}, VARIABLE]}
        return self.number(field, said)

    def value(self, message, field, said):
        if entry := self.entry(message, field):
            return {'type': 'object', 'additionalProperties': self.plain(entry.field[1], {})}
        if field.label != Field.LABEL_REPEATED:
            return self.plain(field, said)
        return {'type': 'array', 'items': self.plain(field, said), **({'minItems': 1} if said.get('needed') else {})}

    def about(self, path, field, said):
        """What an editor shows."""
        if 'replaced_by' in said:
            return {'deprecated': True, 'description': f'No longer read: write {said["replaced_by"]}.'}
        old = f'Deprecated: write {said["deprecated_for"]}.' if 'deprecated_for' in said else ''
        default = self.default(field, said).strip('`')
        bounds = self.bounds(said).strip()
        text = ' '.join(filter(None, [old, self.comments.get(path, ''), bounds, f'Default: {default}.' if default and default != 'required' else '']))
        return {**({'deprecated': True} if old else {}), **({'description': text} if text else {})}

    def property(self, path, message, field):
        said = options(field)
        return {**self.value(message, field, said), **self.about(path, field, said)}

    def object(self, index, message):
        properties = {field.name: self.property((4, index, 2, at), message, field) for at, field in enumerate(message.field)}
        needed = [field.name for field in message.field if options(field).get('needed')]
        return {'type': 'object', 'properties': properties, **({'required': needed} if needed else {}), 'additionalProperties': False}

    def definition(self, index, message):
        whole = self.object(index, message)
        bare = [field for field in message.field if options(field).get('bare')]
        if self.is_words(message):
            whole = {'anyOf': [whole, {'enum': [field.name for field in message.field]}, VARIABLE]}
        elif bare:
            whole = {'anyOf': [whole, *(self.value(message, field, options(field)) for field in bare)]}
        return {'description': self.comments.get((4, index), message.name), **whole}

    def choice(self, index, enum):
        words = [{'const': word, 'description': self.comments.get((5, index, 2, at), '')} for at, word in enumerate(self.words(enum))]
        return {'description': self.comments.get((5, index), enum.name), 'anyOf': [*words, VARIABLE]}

    def schema(self):
        whole = self.object(0, self.file.message_type[0])
        del whole['required']  # another file may have it
        whole['properties']['include'] = {'anyOf': [{'type': 'string'}, whole['properties']['include']],
                                          'description': whole['properties']['include'].pop('description')}
        definitions = {message.name: self.definition(index, message) for index, message in enumerate(self.file.message_type) if index}
        definitions |= {enum.name: self.choice(index, enum) for index, enum in enumerate(self.file.enum_type)}
        return {'$schema': 'https://json-schema.org/draft/2020-12/schema', 'title': 'A config of Passerelle',
                'description': self.comments[(4, 0)], **whole,
                'patternProperties': {'^x-': {'description': 'For anchors: it is not read.'}}, '$defs': definitions}


if __name__ == '__main__':
    json.dump(ConfigSchema(descriptor(*sys.argv[1:])).schema(), sys.stdout, ensure_ascii=False, separators=(',', ':'))
    print()
