"""Rollouts while gateways and their store are killed: a short form of `make rollouts-kills`."""
from rollout_kills import run
from stores import server  # noqa: F401  (a fixture)


def test_each_client_sees_one_build_tiers_keep_their_size_and_decisions_are_made_once(tmp_path, server):  # noqa: F811
    world = run(tmp_path, server, 8)
    assert world.kills["gateway"] and any("b" in seen for seen in world.seen.values())
