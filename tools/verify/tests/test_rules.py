"""The lifecycle rules when a step has values of other types than the format states."""
import unittest

import place  # noqa: F401, the modules of the verifier
from rules import History


class Steps(unittest.TestCase):
    def test_a_state_that_is_not_a_text_breaks_the_rules(self):
        for state in ([], {}, 1, True, ["pending_vendor"]):
            broken = History().add_step("request.submitted", 0, {"from": state, "to": "pending_vendor"})
            self.assertIn("each step starts in the state in which the previous step ended", broken, state)
            broken = History().add_step("request.submitted", 0, {"to": state})
            self.assertTrue(any("does not lead" in message for message in broken), state)

    def test_a_cause_that_is_not_a_text_breaks_the_rules(self):
        for kind in ("grant.ended", "request.withdrawn"):
            for cause in ([], {}, 1, None):
                broken = History().add_step(kind, 0, {"from": None, "to": "ended", "cause": cause})
                self.assertTrue(any("ends when" in message or "withdrawn by" in message for message in broken), (kind, cause))


if __name__ == "__main__":
    unittest.main()
