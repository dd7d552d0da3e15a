import pytest
from tests.factories.billing import *
def test_a(db):
    a=open_account(); register_seller(); price(); i=record_use(account=a, seconds=3600)
    assert i.ended_at
