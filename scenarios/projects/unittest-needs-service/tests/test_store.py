import unittest

from store import ping


class Store(unittest.TestCase):
    def test_ping(self):
        self.assertTrue(ping())
