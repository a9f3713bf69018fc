"""What schemathesis is told: texts of formats that it does not know. 64-bit integers are texts in protobuf's JSON."""
import schemathesis
from hypothesis import strategies

schemathesis.openapi.format("int64", strategies.integers(-2**63, 2**63 - 1).map(str))
schemathesis.openapi.format("uint64", strategies.integers(0, 2**64 - 1).map(str))
