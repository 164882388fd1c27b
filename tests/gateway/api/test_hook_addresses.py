"""Which addresses may be told, and which are in truth in the own network."""

import pytest

from gateway.api.hook_sender import is_public
from gateway.api.hooks import checked_url
from homework.errors import UsageError


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2400:3200::1", True),
        *((private, False) for private in ("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1")),
        *(
            (private, False)
            for private in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0")
        ),
        *((wrapped, False) for wrapped in ("::ffff:127.0.0.1", "::ffff:a00:1", "2002:7f00:1::", "64:ff9b::a00:1")),
        *((other, False) for other in ("::127.0.0.1", "fc00::1", "2001:0:53aa:64c::1", "ff02::1")),
        ("64:ff9b::808:808", True),
    ],
)
def test_an_address_is_judged_by_where_it_leads(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "http://school.example/hook",
        "ftp://school.example/",
        "https:///nowhere",
        "https://user:password@school.example/",
        "https://school.example/#part",
        "https://school.example:99999/",
        "https://school.example/ space",
        "https://sch\u00f6ol.example/",
        "javascript:alert(1)",
        "https://[::1",
        "https://x/" + "a" * 500,
        "",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        checked_url(url)
