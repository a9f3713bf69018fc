#!/usr/bin/python3
"""Writes the error reference from base/faults.def.

error_reference.py: the text of docs/errors.md to the standard output.
error_reference.py --check: 1 when docs/errors.md says anything else.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
SIDES = {
    "SIDE_CLIENT": ("Mistakes of the client", "The same request fails again, unless the table says otherwise. They are logged as `info` "
                    "and counted with side `client`,\nso that no client can cause an alert."),
    "SIDE_UPSTREAM": ("Faults of the service", "The service, or the way to it. Logged as `error`, counted with side `upstream`."),
    "SIDE_GATEWAY": ("Faults of the gateway or of its operator", "Logged as `error`, counted with side `gateway`."),
}
FAULT = re.compile(r'^FAULT\((\w+), (\d+), (\d+), (true|false), (SIDE_\w+),\s*"([^"]*)",\s*"([^"]*)"\)', re.M)

HEAD = '''# Errors

<!-- Made from base/faults.def by docs/error_reference.py: change it there. -->

Each error that the gateway itself finds has one **reason** of this page. It is the same in every protocol, in the log
(`causes`) and as the label `fault` of the metrics. An error that a service returns is passed on as it is; where a protocol
cannot carry it as it is, an ErrorInfo has the rest (`SERVICE_STATUS_CODE`, `HTTP_STATUS`).

| protocol | form of an error |
|---|---|
| gRPC | trailers `grpc-status`, `grpc-message`, and a google.rpc.Status in `grpc-status-details-bin` |
| gRPC-Web | the same in the last frame of the body |
| Connect | `{"code", "message", "details"}`; in a stream in its last message |
| REST, HTTP | application/problem+json (RFC 9457) with the members below |

| detail (google.rpc) | member in REST | content |
|---|---|---|
| ErrorInfo | `reason`, `request_id`, `service`, `version`, `leg`, `limit` (the name of the rate limit that refuses), `retryable` | the reason, domain `passerelle`, and these as metadata |
| BadRequest | in `details` | the fields of the client's message that are invalid, each with a reason and a description: at most 16, and as many as fit into 640 bytes behind the first, for clients limit the size of trailers. The message says how many there are |
| QuotaFailure | in `details`; REST: in the text | of RATE_LIMITED: the limit's name, and its rate |
| RetryInfo | in `details`, and `Retry-After` | when to try again, if that is known |
| RequestInfo | `request_id` | the request's id, as in the log |
| Help | `type`, with the fault's sentence as `title` | a link to a page about the reason, if the config has `error_help` |
| DebugInfo | `causes` | the chain of causes, only with `errors: full` |

**Retry** in the tables: whether the same call may succeed later. An error says it for its call as `retryable`, and says
`true` only if the call can have had no effect. Retry with backoff, and not before the RetryInfo.
'''


def rows():
    text = (ROOT / "base/faults.def").read_text()
    found = FAULT.findall(text)
    if len(found) != len(re.findall(r"^FAULT\(", text, re.M)):
        sys.exit("base/faults.def has a row that cannot be read")
    return found


def reference():
    parts = [HEAD]
    for side, (title, about) in SIDES.items():
        parts.append(f"\n## {title}\n\n{about}\n\n| reason | HTTP | gRPC | retry | meaning | what to do |\n|---|---|---|---|---|---|\n")
        for name, http, code, retryable, of, text, advice in rows():
            if of == side:
                parts.append(f'| <a id="{name}"></a>`{name}` | {http} | {CODES[int(code)]} | '
                             f'{"yes" if retryable == "true" else "no"} | {text} | {advice} |\n')
    return "".join(parts)


def main():
    if sys.argv[1:] != ["--check"]:
        sys.stdout.write(reference())
    elif (ROOT / "docs/errors.md").read_text() != reference():
        sys.exit("docs/errors.md is not what base/faults.def says: python3 docs/error_reference.py > docs/errors.md")


if __name__ == "__main__":
    main()
