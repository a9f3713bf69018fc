"""Rules that ask how a client has proved its name."""
import http.client
import json
import subprocess

import pytest
from gateway import BINARY, Gateway
from processes import eventually
from test_access import key

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
identity_header: x-client
admin: '127.0.0.1:$admin'
authentication:
  - {name: partners, api_keys: $folder/keys.yaml}
  - {name: guests, api_keys: {file: $folder/keys.yaml, header: x-guest-key}}
routes:
  - {match: /partners/, allow: [{client: [ada], by: [partners]}], instances: ['127.0.0.1:1']}
  - {match: /keys/, allow: [{client: [ada], by: [api_key]}], instances: ['127.0.0.1:1']}
  - {match: /others/, allow: [{by: [token, certificate]}, {client: [ada], by: [header]}], instances: ['127.0.0.1:1']}
"""


def test_the_same_name_counts_only_by_the_proof_that_the_rule_asks_for(tmp_path):
    secret = key("make", tmp_path / "keys.yaml", "ada")[1].strip()
    proofs = {"partners": {"x-api-key": secret}, "guests": {"x-guest-key": secret}, "proxy": {"x-client": "ada"}}
    with Gateway(tmp_path, CONFIG) as gateway:
        for path, who in (("/partners/", {"partners"}), ("/keys/", {"partners", "guests"}), ("/others/", {"proxy"})):
            refused = {name for name, fields in proofs.items() if gateway.http("GET", path, headers=fields).status == 403}
            assert refused == set(proofs) - who, path


@pytest.mark.parametrize("by, allowed", [(None, {"/others/"}), ("header", {"/others/"}), ("partners", {"/partners/", "/keys/"}),
                                         ("guests", {"/keys/"}), ("api_key", {"/keys/"}), ("token", {"/others/"})])
def test_explain_is_told_what_has_proved_the_name(tmp_path, by, allowed):
    key("make", tmp_path / "keys.yaml", "ada")
    gateway = Gateway(tmp_path, CONFIG)
    gateway.write()

    def explained(path, *words):
        return subprocess.run([BINARY, "explain", gateway.file, "GET", path, "--json", *words], capture_output=True, text=True, timeout=60)
    words = ["--client", "ada", *(["--by", by] if by else [])]
    assert {path for path in ("/partners/", "/keys/", "/others/") if json.loads(explained(path, *words).stdout)["access"]["allowed"]} == allowed
    assert by or "or the name of a method" in explained("/keys/", "--client", "ada", "--by", "nobody").stderr
    assert by or explained("/keys/", "--by", "token").returncode == 2


def test_what_has_proved_a_name_on_a_connection_before_proves_no_other_one(tmp_path):
    """The last proof of a connection is remembered: other keys, other fields, other routes and none at all are seen as if it were not."""
    ada, eve = (key("make", tmp_path / "keys.yaml", name)[1].strip() for name in ("ada", "eve"))
    with Gateway(tmp_path, CONFIG) as gateway:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)

        def status(path, **fields):
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in fields.items()})
            response = connection.getresponse()
            response.read()
            return response.status
        allowed = 503  # there is no instance
        for _ in range(3):
            assert [status("/partners/", x_api_key=ada), status("/partners/", x_api_key=eve), status("/partners/")] == [allowed, 403, 401]
            assert [status("/partners/", x_guest_key=ada), status("/keys/", x_guest_key=ada)] == [403, allowed]
            assert [status("/keys/", x_api_key=ada), status("/keys/", x_api_key=ada[:-1] + "~"), status("/keys/", x_api_key=" " + ada)] == [allowed, 401, allowed]
            assert [status("/keys/", x_api_key=ada, x_guest_key="wrong"), status("/keys/", x_api_key=ada)] == [401, allowed]
            assert status("/partners/", x_api_key=ada, x_client="eve") == 403  # what a trusted proxy says comes first
        assert key("revoke", tmp_path / "keys.yaml", "_".join(ada.split("_")[:2]))[0] == 0
        gateway.reload()
        eventually(lambda: status("/partners/", x_api_key=ada) == 401)
        connection.close()
