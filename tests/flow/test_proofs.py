"""Rules that ask how a client has proved its name."""
from gateway import Gateway
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
