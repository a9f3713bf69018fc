"""GET /settings: which config is in force, where its values are from, and which configs were refused."""
from gateway import Gateway
from operators import CONFIG, HASHES, TOKENS, plain
from processes import eventually


def test_what_is_in_force_stays_told_while_others_are_refused(tmp_path):
    with Gateway(tmp_path, CONFIG, **HASHES) as gateway:
        def settings():
            return plain(gateway, TOKENS["reader"])("GET", "/settings").json

        def value(path):
            return next(one for one in settings()["values"] if one["path"] == path)
        assert plain(gateway)("GET", "/settings").status == 401
        first = settings()
        assert first["file"] == str(gateway.file) and str(gateway.file) in first["sources"] and first["refused"] == []
        lines = gateway.file.read_text().splitlines()
        for one in first["values"]:
            if "line" in one and "value" in one and one["path"].count("[") < 2:
                assert one["value"].strip('"') in lines[one["line"] - 1], one
        assert value("admin.password_time") == {"path": "admin.password_time", "value": "5m"}
        assert value("admin.operators[0].token_sha256")["secret"]
        assert not any(token in str(first) for token in HASHES.values())

        gateway.write(CONFIG.replace("identity_header", "identity_heder"))
        gateway.reload()
        refused, = eventually(lambda: settings()["refused"])
        assert "who" not in refused and "did you mean identity_header" in refused["mistakes"][0] and "1 mistake" in refused["cause"]
        answer = plain(gateway, TOKENS["ops"])("POST", "/reload", **{"Passerelle-Why": "again"})
        assert answer.status == 409
        latest, before = settings()["refused"]
        assert (latest["who"], latest["why"], before) == ("ops", "again", refused)
        assert settings()["values"] == first["values"] and settings()["since"] == first["since"]

        secret = "tracing: {url: 'http://127.0.0.1:1/v1/traces?key=SECRET'}\notlp: {url: 'http://127.0.0.1:1/SECRET', metrics: 60s}\n"
        gateway.write(CONFIG + secret + "drain: {time: 7s}\n")
        assert plain(gateway, TOKENS["ops"])("POST", "/reload", **{"Passerelle-Why": "good"}).status == 200
        assert value("tracing.url")["secret"] and value("otlp.url")["secret"] and "SECRET" not in str(settings())
        assert value("drain.time")["value"] == "7s" and settings()["generation"] > first["generation"]
        assert settings()["since"] > latest["at"] and len(settings()["refused"]) == 2
