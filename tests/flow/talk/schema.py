"""The talk API's messages, from the descriptor set that is given to the gateway as well."""
import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


class Schema:
    def __init__(self, file):
        self.pool = descriptor_pool.DescriptorPool()
        with open(file, "rb") as binary:
            files = {one.name: one for one in descriptor_pb2.FileDescriptorSet.FromString(binary.read()).file}
        added = set()

        def add(name):
            if name not in added:
                added.add(name)
                for needed in files[name].dependency:
                    add(needed)
                self.pool.Add(files[name])
        for name in files:
            add(name)
        self.factory = message_factory.MessageFactory(self.pool)

    def __call__(self, name):
        """The class of a message."""
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def read(self, name, value):
        """A message from what json.loads gives."""
        return json_format.ParseDict(value, self(name)(), descriptor_pool=self.pool)

    @staticmethod
    def spell(message):
        return json_format.MessageToDict(message)


def tell(event, mark, **more):
    """One line for the test that reads along; whole, though several threads write."""
    sys.stdout.write(json.dumps({"event": event, "mark": mark, **more}) + "\n")
    sys.stdout.flush()
