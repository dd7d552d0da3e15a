"""Accounts, who pays for them, and who sells."""

import pytest

from billing import accounts, pricing
from billing.errors import AccountAlreadyOpen, NoSeller
from billing.models import Account, Payer, Seller
from tests.factories import billing as factory
from tests.factories.billing import MARCH


def test_an_account_pays_for_itself_and_buys_by_the_default_book(account: Account) -> None:
    payer = accounts.own_payer(account)

    assert (payer.kind, payer.name) == ("account", "Bada Vision")
    assert account.books.get().book == pricing.default_book()


def test_a_tenant_has_one_account(account: Account) -> None:
    with pytest.raises(AccountAlreadyOpen):
        accounts.open_account(
            tenant_id=account.tenant_id, name="Again", email="a@example.com", at=MARCH
        )

    assert Account.objects.count() == Payer.objects.count() == 1


def test_the_buyers_words_can_be_set(account: Account) -> None:
    accounts.describe_payer(
        account=account,
        name="바다비전 주식회사",
        business_number="124-81-00998",
        representative="윤앨리스",
        address="부산광역시 해운대구 센텀중앙로 45",
        email="bills@bada-vision.example",
    )

    assert accounts.own_payer(account).representative == "윤앨리스"


def test_without_a_seller_nobody_can_issue(db: None) -> None:
    with pytest.raises(NoSeller):
        accounts.active_seller()


def test_registering_the_same_seller_again_changes_nothing(seller: Seller) -> None:
    assert factory.register_seller() == seller
    assert Seller.objects.count() == 1


def test_a_seller_may_change_its_words(seller: Seller) -> None:
    factory.register_seller(bank_account="Other Bank 5")

    assert accounts.active_seller().bank_account == "Other Bank 5"
    assert Seller.objects.get() == seller


def test_a_new_seller_takes_over_and_the_old_one_is_kept(seller: Seller) -> None:
    successor = factory.register_seller(name="NPU Farm Two", business_number="999-88-00001")

    assert accounts.active_seller() == successor
    assert Seller.objects.filter(is_active=False).get() == seller
