def test_isolation():
    """Tenants are kept apart."""
    assert True


def test_leak():
    pass
