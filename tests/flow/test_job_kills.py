"""Jobs while gateways, backend and store are killed: a short form of `make jobs-kills`."""
from job_kills import run
from stores import PostgreSQL, store  # noqa: F401  (a fixture)


def test_no_accepted_job_is_lost_and_no_call_has_an_effect_twice(tmp_path, store):  # noqa: F811
    kills = 8 if isinstance(store, PostgreSQL) else 22  # whose start takes a second
    world = run(tmp_path, store, kills)
    assert world.kills["gateway"] and world.kills["backend"] and len(world.accepted) > kills
