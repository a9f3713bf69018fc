"""What customers say, beside what happened to them: entered by support, imported from forums and mailing lists, found by operators."""
import json

import pytest
from gateway import Gateway
from operators import command, on_socket
from processes import eventually

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
identity_header: x-client
node: gw1
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
store: store.db
ledger: {every: 100ms}
feedback: {size: 200, entries: 20}
$more
routes: [{match: /x/, instances: ['127.0.0.1:1']}]
"""
MBOX = """From ada@shop.example Tue Dec  1 09:00:00 2026
From: Ada Lovelace <ada@shop.example>
Subject: =?utf-8?q?Bestellung_f=C3=BCr_morgen?=
Date: Mon, 30 Nov 2026 09:00:00 +0000
Message-ID: <1@shop.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

> what you wrote
Es fehlt die Gr=F6=DFe.

--b
Content-Type: text/html

<b>no</b>
--b--

From bob@shop.example Tue Dec  1 09:00:00 2026
From: bob@shop.example
Subject: html
Date: Mon, 30 Nov 2026 10:00:00 +0000
Message-ID: <2@shop.example>
Content-Type: text/html

<p>It is <b>slow</b></p>

From nobody Tue Dec  1 09:00:00 2026
Subject: without a sender

nothing
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("feedback"), CONFIG, more="") as gateway:
        yield gateway


def fail(gateway, client, n=1):
    answers = [gateway.http("GET", "/x/", headers={"x-client": client}) for _ in range(n)]
    assert {answer.status for answer in answers} == {503}
    return answers[-1]


def said(gateway, *words):
    done = command(gateway, "feedback", *words, "--json", "--limit", "1000")
    assert done.returncode == 0, done.stderr
    return {row["words"]: row for row in json.loads(done.stdout)["feedback"]}


def errors(gateway):
    return {row["fingerprint"]: row for row in json.loads(on_socket(gateway.folder / "admin.sock", "GET", "/errors").body)["failures"]}


def test_a_complaint_stands_beside_what_happened_to_the_client(gateway):
    fail(gateway, "ada", 2)
    fail(gateway, "eve")
    kind, = eventually(lambda: errors(gateway))
    assert "complaints" not in errors(gateway)[kind]
    assert command(gateway, "feedback", "add", "it is down", "--client", "ada", "--source", "phone").returncode == 0
    assert command(gateway, "feedback", "add", "still down", "--client", "ada").returncode == 0
    row = said(gateway, "--client", "ada")["it is down"]
    assert row["client"] == "ada" and row["source"] == "phone" and row["kinds"] == [kind]
    assert [(call["code"], call["fault"]) for call in row["then"]["bad"]] == [("UNAVAILABLE", "UPSTREAM_DOWN")] * 2 and row["then"]["calls"] == 2
    assert eventually(lambda: errors(gateway)[kind].get("complaints")) == 1  # one client, who has said it twice
    assert command(gateway, "feedback", "add", "down", "--client", "eve").returncode == 0
    assert eventually(lambda: errors(gateway)[kind]["complaints"] == 2)
    assert "complaints: 2" in command(gateway, "errors").stdout
    shown = command(gateway, "feedback", "show", row["id"]).stdout
    assert "it is down" in shown and kind in shown and "UPSTREAM_DOWN" in shown


def test_a_request_names_its_client(gateway):
    request = fail(gateway, "bob").headers["X-Request-Id"]
    assert command(gateway, "feedback", "add", "no answer", "--request", request).returncode == 0
    row = said(gateway)["no answer"]
    assert row["client"] == "bob" and row["request"] == request and row["then"]["bad"][0]["request_id"] == request
    assert command(gateway, "feedback", "add", f"see {request}!").returncode == 0
    assert said(gateway)[f"see {request}!"]["client"] == "bob"


def test_lines_are_imported_once(gateway, tmp_path):
    file = tmp_path / "forum.jsonl"
    lines = [{"id": str(i), "client": "fay", "source": "forum", "at": "2026-11-01T09:00:00Z", "words": f"post {i}"} for i in range(3)]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert json.loads(command(gateway, "feedback", "import", file, "--json").stdout) == {"added": 3, "known": 0}
    assert json.loads(command(gateway, "feedback", "import", file, "--json").stdout) == {"added": 0, "known": 3}
    rows = said(gateway, "--client", "fay")
    assert set(rows) == {"post 0", "post 1", "post 2"} and rows["post 1"]["at"] == "2026-11-01T09:00:00Z" and "then" not in rows["post 1"] and rows["post 1"]["kinds"] == []
    assert len(json.loads(on_socket(gateway.folder / "admin.sock", "GET", "/feedback/list").body)["feedback"]) >= 3
    file.write_text(json.dumps(lines[0]) + '\n{"words": 7}\n')
    wrong = command(gateway, "feedback", "import", file)
    assert wrong.returncode == 1 and "line 2" in wrong.stderr


def test_mails_are_imported_in_their_characters_and_without_what_they_quote(gateway, tmp_path):
    file = tmp_path / "list.mbox"
    file.write_text(MBOX)
    done = command(gateway, "feedback", "import", file, "--source", "list", "--json")
    assert json.loads(done.stdout) == {"added": 2, "known": 0} and "2 messages, 1 left out" in done.stderr
    assert json.loads(command(gateway, "feedback", "import", file, "--source", "list", "--json").stdout) == {"added": 0, "known": 2}
    ada, = said(gateway, "--client", "ada@shop.example").values()
    assert ada["words"].split("\n\n")[0] == "Bestellung für morgen" and "Es fehlt die Größe." in ada["words"] and "you wrote" not in ada["words"]
    assert ada["source"] == "list" and ada["at"] == "2026-11-30T09:00:00Z"
    bob, = said(gateway, "--client", "bob@shop.example").values()
    assert "It is slow" in bob["words"] and "<" not in bob["words"]


@pytest.mark.parametrize("file", ["/dev/stdin", "-"])
def test_a_mailbox_may_come_through_a_pipe(gateway, file):
    mail = f"From a@b Mon Nov 30 09:00:00 2026\nFrom: pip@list\nMessage-ID: <pip{file}@list>\n\nIt came through a pipe, as {file}.\n"
    done = command(gateway, "feedback", "import", file, stdin=mail)
    assert done.returncode == 0 and "1 entered" in done.stdout, done


def test_lines_may_come_through_a_pipe(gateway):
    assert "1 entered" in command(gateway, "feedback", "import", "-", stdin='{"id": "piped", "client": "gil", "words": "piped"}\n').stdout
    wrong = command(gateway, "feedback", "import", "-", stdin='{"words": 7}\n')
    assert wrong.returncode == 1 and "line 1" in wrong.stderr
    assert command(gateway, "feedback", "import", "-", stdin="").returncode == 0


def test_a_mail_that_no_parser_should_read_is_left_out(gateway, tmp_path):
    def mail(client, to, words):
        return f"From a@b Mon Nov 30 09:00:00 2026\nFrom: {client}\nTo: {to}\nMessage-ID: <{client}>\n\n{words}\n\n"
    file = tmp_path / "poison.mbox"
    file.write_text(mail("one@poison", "x@y", "first") + mail("two@poison", "g:" * 100000 + "x@y;", "second")
                    + mail("three@poison", "x@y", "third")
                    + mail("four@poison", "x@y\nContent-Type: message/rfc822", "Cc: " + "g:" * 100000 + "x@y;\n\nfourth"))
    done = command(gateway, "feedback", "import", str(file))
    assert done.returncode == 0 and "2 entered" in done.stdout + done.stderr and "2 left out" in done.stdout + done.stderr, done


def test_hostile_words_are_cut_and_harmless_in_a_terminal(gateway):
    words = "\x1b[2J\x07" + "ü" * 300
    answer = on_socket(gateway.folder / "admin.sock", "POST", "/feedback", body=json.dumps({"words": words, "client": "mallory"}).encode())
    assert answer.status == 200
    row, = said(gateway, "--client", "mallory").values()
    assert row["words"].startswith("\x1b[2J\x07ü") and len(row["words"].encode()) in (199, 200)
    assert "\x1b" not in command(gateway, "feedback", "--client", "mallory").stdout
    for wrong in (b"", b"[]", b'{"words": "a"}', b'{"words": "a", "client": "b", "mood": 1}', b"\xff\xfe"):
        assert on_socket(gateway.folder / "admin.sock", "POST", "/feedback", body=wrong).status == 400
    assert on_socket(gateway.folder / "admin.sock", "GET", "/feedback/list?limit=0").status == 400
    assert on_socket(gateway.folder / "admin.sock", "GET", "/feedback/list?who=ada").status == 400


def test_who_is_forgotten_has_said_nothing(gateway):
    fail(gateway, "gil")
    assert command(gateway, "feedback", "add", "help", "--client", "gil").returncode == 0
    assert "help" in said(gateway, "--client", "gil")
    assert command(gateway, "client", "forget", "gil", "--why", "asked for it").returncode == 0
    assert said(gateway, "--client", "gil") == {} and "help" not in said(gateway)


def test_there_is_a_limit_and_what_is_entered_is_audited(gateway):
    n = len(said(gateway))
    for i in range(n, 20):
        assert command(gateway, "feedback", "add", f"more {i}", "--client", "hal", "--why", "a call").returncode == 0
    full = command(gateway, "feedback", "add", "one more", "--client", "hal")
    assert full.returncode == 1 and "feedback.entries" in full.stderr
    audit = json.loads(on_socket(gateway.folder / "admin.sock", "GET", "/audit").body)["entries"]
    assert "a call" in {entry["why"] for entry in audit if entry["action"] == "feedback"}


def test_clients_are_hashed_where_the_config_says_so_and_words_are_sealed(tmp_path):
    (tmp_path / "clients.key").write_text("c" * 64)
    (tmp_path / "store.key").write_text("ab" * 32)
    for name in ("clients.key", "store.key"):
        (tmp_path / name).chmod(0o600)
    config = CONFIG.replace("store: store.db", "store: {sqlite: store.db, keys: [{id: one, file: store.key}]}")
    with Gateway(tmp_path, config, more="clients: {recorded: hashed, key: clients.key}") as gateway:
        fail(gateway, "ada")
        assert command(gateway, "feedback", "add", "a secret", "--client", "ada").returncode == 0
        row = said(gateway, "--client", "ada")["a secret"]
        assert "ada" not in row["client"] and row["then"]["calls"] == 1
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert b"a secret" not in stored
