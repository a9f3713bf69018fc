"""A chapter of the demo: a build with a fault is rolled out under load."""
import json
import shlex
import signal
import time

from stage import HERE, NEW_BUILD, OLD_BUILD, Process, wait_for

CLIENTS, MOST = 5000, 300  # and seconds
ROLLOUT = """
cohort: {header: x-account}     # which client it is: the proxy before the gateway says so
rollouts:
  - service: orders
    candidate: {build: 3.2.0}
    tiers: [1, 10, 100, 1000, all]
    judge: {metrics: [failures], least: 1s, every: 200ms}
"""


def a_build_with_a_fault(stage):
    stage.page.scene("A build with a fault", """\
Build 3.2.0 of the v3 backend has a fault: of each twentieth client all calls fail. In build 3.1.0 one call in a thousand fails, \
whosever it is. 5,000 clients are in the shop. The operator rolls 3.2.0 out: to one client, then to 10, 100, 1,000 and all, and does \
no more. Whether it is worse is found by comparing the clients that have it with those that have not.""")
    begin(stage)
    what_tiers_can_show(stage)
    crowd = Process("the crowd", ["/usr/bin/python3", str(HERE / "crowd.py"), "--port", str(stage.port), "--clients", str(CLIENTS)])
    try:
        story = watched_until_it_is_over(stage)
        seen = told_by_the_crowd(stage, crowd)
    finally:
        crowd.stop(signal.SIGKILL)
    how_it_ended(stage, story, seen)
    told_and_kept(stage)
    end(stage)


def begin(stage):
    stage.before = stage.config
    stage.backends["v3"].become(*OLD_BUILD)
    stage.new_build.start()
    old = f"{{address: 127.0.0.1:{stage.backends['v3'].port}, protocol: grpc, versions: [v3], build: 3.1.0}}"
    new = old.replace(str(stage.backends["v3"].port), str(stage.new_build.port)).replace("3.1.0", NEW_BUILD[1])
    stage.replace(old, f"{old}\n      - {new}")
    stage.replace("admin: {", "    trusted_proxies: [127.0.0.1]\nadmin: {")
    stage.config += ROLLOUT
    stage.page.step("a second instance, and the rollout, in the config", f"kill -HUP {stage.gateway.child.pid}")
    stage.page.put(ROLLOUT.strip(), indent=6, fold=False)
    stage.reload()
    stage.page.check("it has begun", wait_for(lambda: status(stage)["state"] == "running"))


def what_tiers_can_show(stage):
    asks = "rollout", "plan", "shop.yaml", "orders", "--clients", str(CLIENTS), "--clients-per-hour", "1000000", "--failing", "1"
    plan = stage.run_command(*asks).stdout
    stage.page.step("what can each tier show?", shlex.join(["passerelle", *asks]))
    stage.page.put(plan[:plan.index("\n1: ")], indent=6, fold=False)
    stage.page.check("one client proves nothing: that tier limits who is hit", "too few clients to prove any fault" in plan)


def status(stage):
    """Of the rollout, with its history."""
    rollouts = json.loads(stage.run_command("rollout", "status", "orders", "--json").stdout or "{}").get("rollouts")
    return rollouts[0] if rollouts else {"state": "unknown", "history": []}


class Story:
    """What is seen of the rollout while it goes on."""

    def __init__(self):
        self.began, self.tiers, self.too_many, self.last = time.monotonic(), [], False, {}

    def see(self, told):
        """True: another tier has begun."""
        begins = told["tier"] not in self.tiers
        self.tiers += [told["tier"]] * begins
        self.too_many |= int(told["members"]) > int(told["room"])
        self.last = told
        return begins

    def seconds(self):
        return time.monotonic() - self.began

    def is_over(self):
        return self.last.get("state") not in (None, "running") or self.seconds() > MOST


def watched_until_it_is_over(stage):
    page, story = stage.page, Story()
    page.step(f"{CLIENTS} clients are in the shop", f"crowd.py --clients {CLIENTS}")
    while not story.is_over():
        if story.see(status(stage)):
            page.answer(f"{story.seconds():5.1f} s: tier {story.last['tier']}")
        time.sleep(0.2)
    page.answer(f"{story.seconds():5.1f} s: {story.last['state']}")
    return story


def told_by_the_crowd(stage, crowd):
    """All clients call once more; what they have seen."""
    crowd.child.send_signal(signal.SIGTERM)
    wait_for(lambda: crowd.child.poll() is not None, timeout=120)
    seen = json.loads(crowd.lines[-1])
    builds = ", ".join(f"{' > '.join(order.split()) or 'nothing'}: {n}" for order, n in seen["builds"].items())
    stage.page.step("each client calls once more; builds that have served it, and how many clients", "crowd.py: what it has seen")
    stage.page.answer(f"{builds} ({seen['calls']} calls, of which {seen['failed']} failed)")
    return seen


def how_it_ended(stage, story, seen):
    page, told = stage.page, stage.command("the operator looks", "rollout", "status", "orders").stdout
    old, new = OLD_BUILD[1], NEW_BUILD[1]
    had_it = sum(n for builds, n in seen["builds"].items() if new in builds)
    tier, room = story.tiers[-1], int(story.last["room"])
    page.check("it was rolled back, by itself: it is bad", story.last["state"] == "rolled back" and story.last.get("bad")
               and "rollback by judge" in told)
    page.check(f"tier {tier} revealed it, and the next one never began", tier != "all" and f"{tier} rolled back" in told
               and all(state["state"] == "to come" for state in story.last["tiers"][len(story.tiers):]))
    page.check(f"{had_it} of {CLIENTS} clients have ever had it, of {room} that the tier had room for",
               not story.too_many and 0 < had_it <= room)
    page.check(f"nobody has gone back and forth: each has seen {old}, or {old}, then {new}, and then {old} again",
               sum(seen["builds"].values()) == CLIENTS and set(seen["builds"]) <= {old, f"{old} {new} {old}", f"{new} {old}"})
    page.check("status tells the story: each tier, by which numbers", "advance by" in told and "of the candidate" in told
               or tier == "1")


def told_and_kept(stage):
    page = stage.page
    events = [json.loads(line) for line in stage.gateway.lines if '"act":"rollback"' in line]
    page.step("the log has it", "grep rollback")
    page.answer(events[-1]["message"] if events else "nothing")
    page.check("as an error, with the numbers of the judgement", events and events[-1]["level"] == "error"
               and float(events[-1]["deed"]["judgement"]["wealth"]) >= float(events[-1]["deed"]["judgement"]["limit"]))
    ledger = stage.run_command("errors").stdout
    line = [line for line in ledger.splitlines() if "ROLLOUT_BAD" in line]
    page.step("and so has the ledger of failures", "passerelle errors")
    page.put("\n".join(line), indent=6, fold=False)
    page.check("ROLLOUT_BAD", line)
    stage.reload()
    page.step("the config still has the entry, and is read again", f"kill -HUP {stage.gateway.child.pid}")
    page.check("it stays rolled back: only an operator starts it again", status(stage)["state"] == "rolled back")


def end(stage):
    stage.config = stage.before
    stage.reload()
    stage.new_build.process.stop()
    stage.backends["v3"].become()
    stage.wait_until_tried_again("v3")
