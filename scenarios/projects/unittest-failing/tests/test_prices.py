import unittest

from prices import total


class Prices(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(total([1, 2]), 3)

    def test_discount(self):
        self.assertEqual(total([10], discount=3), 7)
