"""Where a browser is led after signing in, whatever the address said."""

import pytest

from ui.strangers import local_address


@pytest.mark.parametrize("to", ["/", "/week", "/schools/no-1/classes/三年级2班?item=1#x", "/?screen=class"])
def test_a_place_of_this_site_is_gone_to(to: str) -> None:
    assert local_address(to) == to


@pytest.mark.parametrize(
    "to",
    [
        None,
        "",
        "week",
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\r\nLocation: https://evil.example",
        "/\x00",
        "/login?next=/login",
        "/login/sso",
        "/signout",
        "/invite/abc",
        "/" + "x" * 1000,
    ],
)
def test_anything_else_leads_to_the_start(to: str | None) -> None:
    assert local_address(to) == "/"
