import unittest

from mailer import send_mail


class Mailer(unittest.TestCase):
    def test_send(self):
        self.assertEqual(send_mail("a", "b"), "to a: b")
