"""Operators with passwords: who gets in, what it costs, and what guesses cost whoever makes them."""
import base64
import concurrent.futures
import pathlib
import socket
import subprocess

import pytest
from gateway import BINARY, Gateway
from operators import (CONFIG, HASHES, TLS_CONFIG, SecureGateway, command, make_certificates, plain, secure)
from processes import eventually


def hash_of(password):
    done = subprocess.run([BINARY, "password"], input=password + "\n", capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


# The least that a hash may cost, so that tests are quick.
HASH = {"correct horse": "$argon2id$v=19$m=7168,t=5,p=1$c2FsdG9mYWRh$eJnPukwyKHA7q9d0YTS8GqH0/PUSvi1LQT5jJ9iYho0",
        "battery staple": "$argon2id$v=19$m=7168,t=5,p=1$c2FsdG9mZXZl$q3LZk9xKq/lWk4p6DTAb1Kz1FHo9tA8KnwHjOS/iuMg",
        "another one": "$argon2id$v=19$m=7168,t=5,p=1$c2FsdG9mbmV3$MJgX5dyqvD1PsakucKdq9L/qWUeibhoOFHVTdaPnPBU"}
ADA, EVE, NEW = HASH
WITH_PASSWORDS = CONFIG.replace("store: store.db\n", "").replace("  operators:\n", """\
  password_failures: {rate: 1/h, burst: 6}
  operators:
    - {name: ada, role: operate, password: $ada}
    - {name: eve, role: read, password_file: eve.hash}
""")




def quoted(password):
    return f"'{HASH[password]}'"


def passwords_in(folder, config=WITH_PASSWORDS, ada=quoted(ADA)):
    (folder / "eve.hash").write_text(HASH[EVE] + "\n")
    (folder / "eve.hash").chmod(0o600)
    return Gateway(folder, config, ada=ada, **HASHES)


@pytest.fixture
def gateway(tmp_path):
    with passwords_in(tmp_path) as running:
        yield running


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(gateway, verb, path, user, password, **fields):
    return plain(gateway)(verb, path, Authorization=basic(user, password), **fields)


def password_file(gateway, password):
    path = gateway.folder / "password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return path


def test_an_operator_logs_in_with_a_password_and_has_the_role_of_it(gateway):
    assert ask(gateway, "GET", "/limits", "eve", EVE).status == 200
    assert ask(gateway, "GET", "/limits", "ada", ADA).status == 200
    assert ask(gateway, "POST", "/reload", "eve", EVE).status == 403
    assert ask(gateway, "POST", "/reload", "ada", ADA).status == 200
    entry, = eventually(lambda: gateway.events("audit"))
    assert (entry["who"], entry["by"]) == ("ada", "password")
    assert ask(gateway, "POST", "/reload", "ada", ADA, Origin="https://panel.example").status == 403
    # Pages for everybody ask nobody, whatever they send; tokens work beside.
    assert ask(gateway, "GET", "/metrics", "ada", "wrong").status == 200
    assert plain(gateway, "reader")("GET", "/limits").status == 200
    # But for the one that tells who it is.
    told = ask(gateway, "GET", "/whoami", "eve", EVE).json
    assert (told["name"], told["role"], told["by"]) == ("eve", "read", "password")
    wrong = ask(gateway, "GET", "/whoami", "eve", "wrong")
    assert wrong.status == 401 and "Basic" in wrong.headers["www-authenticate"]


def test_a_wrong_password_is_401_and_the_one_who_is_not_there_gets_the_same(gateway):
    told = [ask(gateway, "GET", "/limits", user, password) for user, password in
            [("ada", EVE), ("ada", ""), ("bob", ADA), ("ops", "o" * 40)]]
    assert [answer.status for answer in told] == [401] * 4
    assert len({answer.body for answer in told}) == 1
    assert all(answer.headers["WWW-Authenticate"] == 'Basic realm="passerelle", charset="UTF-8"' for answer in told)
    assert plain(gateway)("GET", "/limits", Authorization="Basic ???").status == 401
    lines = eventually(lambda: len(gateway.events("admin_refused")) == 5 and gateway.events("admin_refused"))
    assert all(line["reason"] == "password" and "who" not in line for line in lines)
    assert not any(secret in text for text in map(str, lines) for secret in (EVE, ADA, "bob"))


def test_who_guesses_is_not_listened_to_for_a_while_and_others_are(gateway):
    assert ask(gateway, "GET", "/limits", "ada", ADA).status == 200
    for _ in range(6):
        assert ask(gateway, "GET", "/limits", "ada", "wrong").status == 401
    refused = ask(gateway, "GET", "/limits", "ada", ADA)  # also a right one, that was right before
    assert refused.status == 429 and 0 < int(refused.headers["Retry-After"]) <= 3600
    assert ask(gateway, "GET", "/limits", "eve", EVE).status == 429
    assert plain(gateway, "reader")("GET", "/limits").status == 200
    assert plain(gateway)("GET", "/limits").status == 401
    assert command(gateway, "limits").returncode == 0  # at the unix socket
    assert gateway.metric("passerelle_rate_limited_total", limit="admin.password_failures") == 2


def processor_time(gateway):
    """What the gateway has used, in hundredths of a second."""
    fields = pathlib.Path(f"/proc/{gateway.process.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_a_password_that_was_right_is_not_computed_again(tmp_path):
    with passwords_in(tmp_path, ada=f"'{hash_of(ADA)}'") as gateway:
        def cost():
            begin = processor_time(gateway)
            assert ask(gateway, "GET", "/limits", "ada", ADA).status == 200
            return processor_time(gateway) - begin
        first = cost()
        assert first >= 4 and sum(cost() for _ in range(10)) < 2 * first  # 64 MiB, three times


def test_a_new_password_counts_from_the_reload_on(gateway):
    assert ask(gateway, "GET", "/limits", "ada", ADA).status == 200
    gateway.write(ada=quoted(NEW))
    assert command(gateway, "reload").returncode == 0
    assert ask(gateway, "GET", "/limits", "ada", ADA).status == 401
    assert ask(gateway, "GET", "/limits", "ada", NEW).status == 200
    gateway.write(config=CONFIG.replace("store: store.db\n", ""))
    assert command(gateway, "reload").returncode == 0
    assert ask(gateway, "GET", "/limits", "ada", NEW).status == 401


def test_many_logins_at_once_wait_and_those_beyond_are_told_to_come_again(tmp_path):
    config = WITH_PASSWORDS.replace("{rate: 1/h, burst: 6}", "none")
    with passwords_in(tmp_path, config) as gateway, concurrent.futures.ThreadPoolExecutor(28) as pool:
        many = [pool.submit(ask, gateway, "GET", "/limits", "ada", "wrong") for _ in range(28)]
        assert plain(gateway, "reader")("GET", "/limits").status == 200  # is not held up
        statuses = [one.result().status for one in many]
        assert set(statuses) <= {401, 503} and statuses.count(401) >= 17
        many = [pool.submit(ask, gateway, "GET", "/limits", "ada", ADA) for _ in range(12)]
        assert {one.result().status for one in many} == {200}


def send_login(gateway, password):
    connection = socket.create_connection(("127.0.0.1", gateway.admin_port))
    connection.sendall(f"GET /limits HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic('ada', password)}\r\n\r\n".encode())
    return connection


def test_a_client_that_leaves_while_its_password_is_checked_harms_nothing(gateway):
    for _ in range(5):
        send_login(gateway, "wrong").close()
    assert ask(gateway, "GET", "/limits", "ada", ADA).status == 200


def test_a_gateway_that_stops_does_not_wait_for_those_who_log_in(tmp_path):
    gateway = passwords_in(tmp_path).start()
    waiting = [send_login(gateway, "wrong") for _ in range(12)]
    gateway.stop()
    for one in waiting:
        one.close()


# ---- Commands ----------------------------------------------------------------------------------------------------------


def test_commands_take_a_user_and_a_password(gateway):
    def at(*words, **environment):
        return command(gateway, "limits", "--admin", f"127.0.0.1:{gateway.admin_port}", *words, **environment)
    assert at("--user", "ada", "--password-file", password_file(gateway, ADA)).returncode == 0
    assert at("--user", "ada", PASSERELLE_PASSWORD=ADA).returncode == 0
    assert "no operator has this name" in at("--user", "ada", PASSERELLE_PASSWORD="wrong").stderr
    for words, environment in ((["--user", "ada"], {}), (["--password-file", "password"], {}), (["--user", "a:b"], {"PASSERELLE_PASSWORD": ADA}),
                               (["--user", "ada"], {"PASSERELLE_PASSWORD": ADA, "PASSERELLE_TOKEN": "t"}),
                               (["--user", "ada"], {"PASSERELLE_PASSWORD": "x" * 513})):
        assert at(*words, **environment).returncode == 2


def test_a_password_goes_over_tls(tmp_path):
    make_certificates(tmp_path)
    config = TLS_CONFIG.replace("store: store.db\n", "").replace("operators:\n", "operators:\n    - {name: alan, role: operate, password: $ada}\n")
    with SecureGateway(tmp_path, config, ada=quoted(ADA), **HASHES) as gateway:
        assert secure(gateway)("GET", "/limits", Authorization=basic("alan", ADA)).status == 200
        # A certificate counts before a password, which is not looked at.
        assert secure(gateway, "eve")("GET", "/limits", Authorization=basic("alan", "wrong")).status == 200
        done = command(gateway, "limits", "--admin", f"https://localhost:{gateway.admin_port}", "--ca", "ca.pem", "--user", "alan",
                       PASSERELLE_PASSWORD=ADA)
        assert done.returncode == 0, done.stderr


# ---- What check says ---------------------------------------------------------------------------------------------------


def check(folder, admin):
    (folder / "c.yaml").write_text("listen: ['127.0.0.1:1']\nadmin: " + admin + "\nservices: [{name: s, instances: ['127.0.0.1:2']}]\n")
    done = subprocess.run([BINARY, "check", folder / "c.yaml"], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize("address, refused", [("127.0.0.1:9", False), ("127.9.9.9:9", False), ("'[::1]:9'", False), ("localhost:9", False),
                                              ("0.0.0.0:9", True), ("10.0.0.7:9", True), ("'[::]:9'", True), ("gw1.internal:9", True)])
def test_passwords_at_an_address_that_others_reach_need_tls(tmp_path, address, refused):
    said = check(tmp_path, f"{{address: {address}, operators: [{{name: ada, password: {quoted(ADA)}}}]}}")
    assert ("passwords would go over the network unencrypted" in said) == refused


@pytest.mark.parametrize("operator, mistake", [
    ("{name: a, password: secret}", "a hash of a password begins with $argon2id$v=19$"),
    ("{name: a, password: '$argon2id$v=19$m=4194304,t=3,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'}", "cost too much"),
    ("{name: a, password: '$argon2id$v=19$m=1024,t=3,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'}", "guessed too easily"),
    ("{name: 'a:b', password: ADA}", "has no colon"),
    ("{name: a, password_file: none.hash}", "none.hash: No such file or directory"),
    ("{name: a, password: ADA, token_sha256: b}", "it has one of: certificate, token_sha256, password, password_file"),
    ("{name: a, password: ADA}, {name: a, password: ADA}", "admin.operators[0] has the same name, and a password, too"),
])
def test_mistakes_in_passwords_are_told(tmp_path, operator, mistake):
    said = check(tmp_path, f"{{address: '127.0.0.1:9', operators: [{operator.replace('ADA', quoted(ADA))}]}}")
    assert mistake in said and ("none.hash" not in mistake or said.count("none.hash") == 1) and "secret" not in said.replace("token_sha256", "")


def test_the_command_wants_a_password_that_is_one(tmp_path):
    for text in ("", "short12\n", "x" * 513, "a password\nanother one\n", "a password\n\n"):
        done = subprocess.run([BINARY, "password"], input=text, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (1, "")
    for text in ("exactly8", "x" * 512 + "\r\n"):
        assert subprocess.run([BINARY, "password"], input=text, capture_output=True, text=True, timeout=60).stdout.startswith("$argon2id$")
