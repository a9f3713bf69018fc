"""Guesses of credentials are slowed down, by address."""
import hashlib

import pytest
from gateway import Gateway
from processes import free_port

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
errors: full
authentication: [{api_keys: $folder/api-keys.yaml}]
authentication_failures: {rate: 1/h, burst: 3}
routes: [{match: /a/, instances: [{address: '127.0.0.1:$nobody', protocol: http}]}]
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guesses")
    (folder / "api-keys.yaml").write_text("keys:\n" + "".join(
        f"  - {{client: ada, sha256: {hashlib.sha256(key.encode()).hexdigest()}, expires: {day}}}\n" for key, day in (("good", "2199-01-01"), ("old", "2020-01-01"))))
    with Gateway(folder, CONFIG, nobody=free_port()) as gateway:
        yield gateway


def reasons(gateway, address, *keys):
    answers = [gateway.http("GET", "/a/x", headers={"x-forwarded-for": address, **({"x-api-key": key} if key else {})}) for key in keys]
    return [answer.json["reason"] for answer in answers], answers


REFUSED, LIMITED = "CREDENTIALS_REFUSED", "RATE_LIMITED"


def test_an_address_that_has_guessed_wrong_too_often_is_refused_with_a_good_key_too(gateway):
    told, answers = reasons(gateway, "192.0.2.1", "a", "b", "c", "d", "good", None)
    assert told == [REFUSED] * 3 + [LIMITED] * 3
    assert answers[3].status == 429 and int(answers[3].headers["retry-after"]) > 3000
    assert gateway.metric("passerelle_rate_limited_total", limit="authentication_failures") >= 3
    assert reasons(gateway, "192.0.2.2", "good")[0][0] not in (REFUSED, LIMITED)


def test_good_keys_missing_ones_and_those_that_have_ended_do_not_count(gateway):
    told, _ = reasons(gateway, "192.0.2.3", *["good", None, "old"] * 3, "a", "b", "good", "c", "good")
    assert LIMITED not in told[:-1] and told[-1] == LIMITED
    assert told[1:3] == ["CREDENTIALS_MISSING", "CREDENTIALS_EXPIRED"]


def test_a_network_of_IPv6_is_one_address(gateway):
    addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3", "2001:db8::4", "2001:db8:0:1::5"]
    assert [reasons(gateway, address, "wrong")[0][0] for address in addresses] == [REFUSED] * 3 + [LIMITED, REFUSED]


def test_none_counts_none(tmp_path):
    (tmp_path / "api-keys.yaml").write_text("keys: []\n")
    config = CONFIG.replace("{rate: 1/h, burst: 3}", "none")
    with Gateway(tmp_path, config, nobody=free_port()) as gateway:
        assert reasons(gateway, "192.0.2.1", *"abcdef")[0] == [REFUSED] * 6
