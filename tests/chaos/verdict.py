"""What became of the calls of one scenario, and whether that is good enough."""
import collections
import math

from scenarios import IN_FLIGHT, KEPT
from world import TIMEOUT

RECOVERED = 2.0  # seconds after the fault's end, from which no call may fail for it


class Verdict:
    """
    scenario, calls, and the fault's times: it began to begin at `begin`, was there at `there`, and was over at `end`.
    `wrote`: how often each Write was executed. `late`: seconds that a call may take beyond its timeout; None where the
    machine may be busy.
    """

    def __init__(self, scenario, calls, times, wrote, late=None):
        self.scenario, self.calls, self.late = scenario, calls, late
        self.begin, self.there, self.end = times
        self.kinds = collections.defaultdict(list)
        for call in calls:
            self.kinds[self.kind(call)].append(call)
        texts = {call.text: call for call in calls if call.method == "Write"}
        self.twice = sorted(text for text, n in wrote.items() if n > 1)
        self.never = sorted(text for text, call in texts.items() if call.ok and not wrote[text])

    def kind(self, call):
        """answered; wrong, hung or lost, which must not be; or failed, which nobody could have prevented."""
        if call.outcome == "WRONG":
            return "wrong"
        if self.hung(call):
            return "hung"
        if call.ok:
            return "answered"
        return "failed" if self.had_to_fail(call) else "lost"

    def hung(self, call):
        """Longer than its deadline. A stream of responses has none but its client's, which the client obeys itself."""
        if call.method == "Follow":
            return call.outcome == "CLIENT_TIMEOUT"
        if self.late is None:
            return call.outcome == "CLIENT_TIMEOUT"
        return call.ended - call.began > TIMEOUT + self.late

    def had_to_fail(self, call):
        if call.ended < self.begin or (self.late is not None and call.began > self.end + RECOVERED):
            return False
        if not self.scenario.others or call.began < self.there:
            return True
        if call.safe or self.scenario.unsafe == KEPT:
            return False
        return self.scenario.unsafe != IN_FLIGHT or call.began <= self.there

    # ---- Figures ----------------------------------------------------------------------------------------

    def count(self, kind):
        return len(self.kinds[kind])

    def recovery(self):
        """Seconds from the fault's end to the beginning of the last call that failed after it."""
        return max((call.began - self.end for call in self.calls if not call.ok and call.began > self.end), default=0.0)

    def back(self, names):
        """Seconds until the instances that were hit serve calls again; None: they do not yet."""
        served = [min((call.began - self.end for call in self.calls
                       if call.ok and call.instance == name and call.began > self.end), default=None) for name in names]
        return None if None in served else max(served)

    def slowest(self, begin, end, share=0.99):
        """The time in which this share of the safe calls that began in this time was answered."""
        times = sorted(call.ended - call.began for call in self.calls if begin <= call.began < end and call.safe)
        return times[min(math.ceil(len(times) * share), len(times)) - 1] if times else 0.0

    def complaints(self):
        found = [f"{len(self.kinds[kind])} calls {kind}: {self.example(kind)}"
                 for kind in ("wrong", "hung", "lost") if self.kinds[kind]]
        if self.twice:
            found.append(f"executed twice: {self.twice[:5]}")
        if self.never:
            found.append(f"answered, but not executed: {self.never[:5]}")
        return found

    def example(self, kind):
        calls = self.kinds[kind]
        causes = collections.Counter((call.client, call.method, call.outcome) for call in calls).most_common(6)
        first = calls[0]
        return f"{causes}; the first {first.began - self.begin:.2f} s after the fault began, in " \
               f"{first.ended - first.began:.2f} s: {first.detail}"
