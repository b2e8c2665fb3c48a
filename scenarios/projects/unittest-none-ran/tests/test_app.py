import unittest

from app import double


class Double(unittest.TestCase):
    def check_double(self):
        self.assertEqual(double(2), 4)
