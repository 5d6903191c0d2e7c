"""Which resource is below another."""
import unittest

import place  # noqa: F401, the modules of the verifier
from resources import is_below

SITE = "https://contoso.example/sites/finance"


class Resources(unittest.TestCase):
    def test_a_resource_covers_itself_and_what_is_below_it(self):
        for used in (SITE, SITE + "/", SITE + "/budget.xlsx", SITE + "/a/b?x=/..", "HTTPS://Contoso.Example:443/sites/finance/a",
                     "https://contoso.example/sites/fin%61nce/x"):
            self.assertTrue(is_below(SITE, used), used)
        self.assertTrue(is_below("https://contoso.example", SITE))
        self.assertTrue(is_below("finance@contoso.example", "Finance@Contoso.example"))
        self.assertTrue(is_below("share-7", "share-7"))

    def test_a_resource_covers_nothing_beside_or_above_it(self):
        for used in ("https://contoso.example/sites", "https://contoso.example/sites/finance2", "http://contoso.example/sites/finance",
                     "https://contoso.example.adatum.example/sites/finance", "https://contoso.example:8443/sites/finance", "",
                     "finance@contoso.example", "ftp://contoso.example/sites/finance", SITE + "\n", "https:///sites/finance", "share-7",
                     "https://contoso.example./sites/finance", "https://a@contoso.example/sites/finance"):
            self.assertFalse(is_below(SITE, used), used)
        for strange in ("https://contoso.example./a", "https://a@b/a", "ftp://contoso.example/a", "", "a\n", "a" * 4097, "a@", "@a", "a@b@c",
                        "a @b", "a@b/c"):
            self.assertFalse(is_below(strange, strange), strange)
        self.assertTrue(is_below("a" * 4096, "a" * 4096))
        self.assertFalse(is_below("finance@contoso.example", "hr@contoso.example"))
        self.assertFalse(is_below("a%40@contoso.example", "a%40@contoso.example"))
        self.assertFalse(is_below("share-7", "share-70"))

    def test_a_path_that_another_program_may_read_differently_is_not_below(self):
        for rest in ("/../hr", "/%2e%2e/hr", "//hr", "/.;x/hr", "/%2Fhr", "/%252e", "/a#b", "/a\\b", "/%ff", "/\uff0fhr", "/ /x", "/a%00", "/\x7f", "/%1f", "/\x85"):
            self.assertFalse(is_below(SITE, SITE + rest), rest)

    def test_a_granted_resource_with_a_query_covers_nothing(self):
        self.assertFalse(is_below(SITE + "?x", SITE + "?x"))

    def test_a_resource_that_was_cut_is_compared_up_to_its_last_slash(self):
        long = SITE + "/" + "a" * 2000
        self.assertEqual(len(long[:1024]), 1024)
        self.assertTrue(is_below(SITE, long[:1024]))
        self.assertTrue(is_below(SITE, (SITE + "/" + "a" * 900 + "/%e" + "f" * 200)[:1024]))
        self.assertFalse(is_below(SITE + "/" + "a" * 900, long[:1024]))


if __name__ == "__main__":
    unittest.main()
