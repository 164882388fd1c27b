"""Signing on at another house: with a real provider's process, and with one that lies in every way that we know."""

import asyncio
import base64
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.access.provider import MOST_BYTES, ProviderAwayError, ProviderDocuments, SignOnError, secret_of
from gateway.access.sso import SignOn
from gateway.access.ties import Identity
from gateway.config import SsoConfig, load_config
from homework.errors import BadFileError, UsageError
from tests.gateway.access.hostile_provider import BACK, CLIENT, SUBJECT, HostileProvider, pressed, real_provider

Change = Callable[[HostileProvider], None]


def config_of(issuer: str, **more: Any) -> SsoConfig:
    return SsoConfig(issuer=issuer, client_id=CLIENT, client_secret="s3cret", title="统一认证", **more)


def sign_on_at(issuer: str, *, clock_s: Callable[[], float] = time.monotonic, patience_s: float = 5.0) -> SignOn:
    config = config_of(issuer)
    return SignOn(config, ProviderDocuments(config, monotonic_s=clock_s, patience_s=patience_s))


@pytest.fixture
async def provider() -> AsyncIterator[HostileProvider]:
    hostile = HostileProvider()
    async with TestServer(hostile.application()) as server:
        hostile.issuer = f"http://127.0.0.1:{server.port}"
        yield hostile


async def signed_on(sign_on: SignOn, provider: HostileProvider, **answer: str) -> Identity:
    """A whole sign-on, with a browser that does as it is told. `answer`: what stands in the address back."""
    address, flow = await sign_on.begin(BACK)
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
    provider.nonce = asked["nonce"]
    return await sign_on.finish(flow, {"state": asked["state"], "code": "a-code", **answer}, BACK)


# --- a real provider --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_issuer() -> Iterator[str]:
    with real_provider() as issuer:
        yield issuer


async def test_somebody_signs_on_at_a_real_provider(real_issuer: str) -> None:
    sign_on = sign_on_at(real_issuer)
    address, flow = await sign_on.begin(BACK)
    answer = await pressed(address, BACK, sub="lin@school.example")
    assert await sign_on.finish(flow, answer, BACK) == Identity(real_issuer, "lin@school.example")


async def test_a_code_of_a_real_provider_is_good_once(real_issuer: str) -> None:
    sign_on = sign_on_at(real_issuer)
    address, flow = await sign_on.begin(BACK)
    answer = await pressed(address, BACK, sub="lin")
    await sign_on.finish(flow, answer, BACK)
    with pytest.raises(SignOnError, match="could not be checked"):
        await sign_on.finish(flow, answer, BACK)


async def test_what_one_browser_began_another_cannot_end(real_issuer: str) -> None:
    """Whoever is lured to the address of somebody else's sign-on is not signed on as that somebody."""
    sign_on = sign_on_at(real_issuer)
    address, _flow = await sign_on.begin(BACK)
    answer = await pressed(address, BACK, sub="lin")
    _address, another_flow = await sign_on.begin(BACK)
    with pytest.raises(SignOnError, match="another window"):
        await sign_on.finish(another_flow, answer, BACK)
    with pytest.raises(SignOnError, match="could not be checked"):  # its nonce was another's, too
        await sign_on.finish(another_flow, {**answer, "state": another_flow.state}, BACK)


async def test_whoever_says_no_at_the_provider_is_told_so(real_issuer: str) -> None:
    sign_on = sign_on_at(real_issuer)
    address, flow = await sign_on.begin(BACK)
    answer = await pressed(address, BACK, action="deny")
    with pytest.raises(SignOnError, match="stopped at 统一认证"):
        await sign_on.finish(flow, {"state": flow.state, **answer}, BACK)


async def test_a_real_provider_says_where_it_signs_out(real_issuer: str) -> None:
    address = await sign_on_at(real_issuer).farewell("https://district.example/login")
    assert address is not None
    assert address.startswith(f"{real_issuer}/oauth2/end_session?")
    await asyncio.to_thread(lambda: urllib.request.urlopen(address, timeout=5).close())


# --- what is sent -----------------------------------------------------------------------------------------


async def test_the_browser_carries_a_challenge_and_no_secret(provider: HostileProvider) -> None:
    sign_on = sign_on_at(provider.issuer)
    address, flow = await sign_on.begin(BACK)
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
    assert address.startswith(f"{provider.issuer}/authorize?")
    assert asked["response_type"] == "code"
    assert asked["scope"] == "openid"
    assert asked["redirect_uri"] == BACK
    assert asked["code_challenge_method"] == "S256"
    assert flow.verifier not in address
    assert "s3cret" not in address
    assert "prompt" not in asked
    assert "prompt=login" in (await sign_on.begin(BACK, anew=True))[0]


async def test_no_two_sign_ons_share_anything(provider: HostileProvider) -> None:
    sign_on = sign_on_at(provider.issuer)
    flows = [(await sign_on.begin(BACK))[1] for _ in range(3)]
    values = [value for flow in flows for value in (flow.state, flow.nonce, flow.verifier)]
    assert len(set(values)) == 9
    assert all(43 <= len(value) <= 128 for value in values)  # RFC 7636, 4.1


async def test_the_code_goes_with_its_verifier_and_the_secret_in_the_header(provider: HostileProvider) -> None:
    assert await signed_on(sign_on_at(provider.issuer), provider) == Identity(provider.issuer, SUBJECT)
    assert provider.form["grant_type"] == "authorization_code"
    assert provider.form["redirect_uri"] == BACK
    assert len(provider.form["code_verifier"]) == 64
    assert "client_secret" not in provider.form
    assert base64.b64decode(provider.headers["Authorization"].removeprefix("Basic ")) == b"classbox:s3cret"


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(provider: HostileProvider) -> None:
    provider.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    await signed_on(sign_on_at(provider.issuer), provider)
    assert provider.form["client_secret"] == "s3cret"
    assert "Authorization" not in provider.headers


async def test_addresses_and_keys_are_asked_for_once(provider: HostileProvider) -> None:
    sign_on = sign_on_at(provider.issuer)
    for _ in range(3):
        await signed_on(sign_on, provider)
    assert provider.asked.count("discovery") == 1
    assert provider.asked.count("keys") == 1


async def test_addresses_and_keys_are_not_believed_for_ever(provider: HostileProvider) -> None:
    clock = [0.0]
    sign_on = sign_on_at(provider.issuer, clock_s=lambda: clock[0])
    await signed_on(sign_on, provider)
    clock[0] += 601
    await signed_on(sign_on, provider)
    assert (provider.asked.count("discovery"), provider.asked.count("keys")) == (1, 2)
    clock[0] += 3601
    await signed_on(sign_on, provider)
    assert (provider.asked.count("discovery"), provider.asked.count("keys")) == (2, 3)


# --- what comes back and must not be believed -------------------------------------------------------------


def claims(**changed: Any) -> Change:
    return lambda provider: provider.claims.update(changed)


def unsigned(provider: HostileProvider) -> None:
    body = provider.signed().split(".")[1]
    for_nobody = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    provider.id_token = f"{for_nobody}.{body}."


def stripped(provider: HostileProvider) -> None:
    provider.id_token = provider.signed().rpartition(".")[0] + "."


def changed_after_signing(provider: HostileProvider) -> None:
    head, body, signature = provider.signed().split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    said["sub"] = "the-head"
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    provider.id_token = f"{head}.{body}.{signature}"


def by_hand(provider: HostileProvider, header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """What the library would not sign."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    signed = f"{head}.{provider.signed().split('.')[1]}"
    return f"{signed}.{base64.urlsafe_b64encode(sign(signed.encode())).rstrip(b'=').decode()}"


def signed_with_the_public_key(provider: HostileProvider) -> None:
    """The classic: HS256, and the public key's PEM is the secret that everybody knows."""
    assert isinstance(provider.key, RSAKey)
    pem = provider.key.as_pem(private=False)
    header = {"alg": "HS256", "kid": "first"}
    provider.id_token = by_hand(provider, header, lambda signed: hmac.digest(pem, signed, "sha256"))


def signed_with_the_clients_secret(provider: HostileProvider) -> None:
    provider.key, provider.algorithm = OctKey.import_key(b"s3cret"), "HS256"
    provider.published = [provider.key.as_dict(private=True)]  # type: ignore[list-item]


def signed_with_another_key(provider: HostileProvider) -> None:
    provider.header["kid"] = provider.key.kid
    provider.key = provider.other_key


def brings_its_own_key(provider: HostileProvider) -> None:
    theirs, mine = (ECKey.generate_key("P-256", {"kid": "curve"}) for _ in range(2))
    provider.published, provider.key, provider.algorithm = [theirs], mine, "ES256"
    provider.header |= {"jwk": mine.as_dict(private=False)}


def names_a_key_elsewhere(provider: HostileProvider) -> None:
    provider.key = provider.other_key
    provider.header |= {"kid": "first", "jku": f"{provider.issuer}/other-keys"}


def has_a_short_key(provider: HostileProvider) -> None:
    provider.key = RSAKey.generate_key(1024, {"kid": "short"})
    provider.published = [provider.key]


def has_a_key_for_sealing(provider: HostileProvider) -> None:
    provider.published = [{**provider.other_key.as_dict(private=False), "use": "enc"}]
    provider.key = provider.other_key


def wants_what_we_do_not_know(provider: HostileProvider) -> None:
    assert isinstance(provider.key, RSAKey)
    key = provider.key.private_key
    assert key is not None
    header = {"alg": "RS256", "kid": "first", "crit": ["end"], "end": 1}
    provider.id_token = by_hand(provider, header, lambda signed: key.sign(signed, PKCS1v15(), SHA256()))


NOW_S = int(time.time())
LIES: dict[str, Change] = {
    "another issuer": claims(iss="https://evil.example"),
    "the issuer with a slash": lambda p: p.claims.update(iss=p.issuer + "/"),
    "no issuer": claims(iss=None),
    "the issuer as a list": lambda p: p.claims.update(iss=[p.issuer]),
    "another audience": claims(aud="another-client"),
    "an empty audience": claims(aud=[]),
    "no audience": claims(aud=None),
    "an audience that holds ours as a part": claims(aud="classbox2"),
    "more audiences and nobody it is for": claims(aud=[CLIENT, "another-client"]),
    "more audiences and another party": claims(aud=[CLIENT, "another-client"], azp="another-client"),
    "another party": claims(azp="another-client"),
    "another nonce": claims(nonce="x" * 43),
    "no nonce": claims(nonce=None),
    "a nonce that is none": claims(nonce=[]),
    "expired": claims(exp=NOW_S - 3600, iat=NOW_S - 7200),
    "no end": claims(exp=None),
    "an end in words": claims(exp="tomorrow"),
    "from the future": claims(iat=NOW_S + 86400, exp=NOW_S + 90000),
    "not yet good": claims(nbf=NOW_S + 86400),
    "no subject": claims(sub=None),
    "an empty subject": claims(sub=""),
    "a subject that is a number": claims(sub=7),
    "a subject that is too long": claims(sub="x" * 256),
    "a subject with a line break": claims(sub="a\nb"),
    "another access key's digest": claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "no signature": unsigned,
    "the signature cut off": stripped,
    "changed after signing": changed_after_signing,
    "signed with the public key": signed_with_the_public_key,
    "signed with the client's secret": signed_with_the_clients_secret,
    "signed with another key": signed_with_another_key,
    "brings its own key": brings_its_own_key,
    "names a key elsewhere": names_a_key_elsewhere,
    "a short key": has_a_short_key,
    "a key for sealing": has_a_key_for_sealing,
    "an extension that must be known": wants_what_we_do_not_know,
    "no ID token": lambda p: p.token.update(id_token=None),
    "a number for a token": lambda p: p.token.update(id_token=7),
    "words for a token": lambda p: p.token.update(id_token="a.b.c"),
    "nothing for a token": lambda p: p.token.update(id_token=""),
    "five parts": lambda p: p.token.update(id_token="a.b.c.d.e"),
    "Chinese for a token": lambda p: p.token.update(id_token="令牌.令牌.令牌"),
    "a refused code": lambda p: p.answers.update(token=web.json_response({"error": "invalid_grant"}, status=400)),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_nobody_is_signed_on_by_a_lie(provider: HostileProvider, lie: Change) -> None:
    sign_on = sign_on_at(provider.issuer)
    _address, flow = await sign_on.begin(BACK)
    provider.nonce = flow.nonce
    lie(provider)
    with pytest.raises(SignOnError) as refused:
        await sign_on.finish(flow, {"state": flow.state, "code": "a-code"}, BACK)
    assert not isinstance(refused.value, ProviderAwayError)
    assert "could not be checked" in str(refused.value)


TRUTHS: dict[str, Change] = {
    "as it is": claims(),
    "several audiences for us": claims(aud=[CLIENT, "account"], azp=CLIENT),
    "a party that is ours": claims(azp=CLIENT),
    "a clock a minute off": claims(iat=NOW_S + 60, nbf=NOW_S + 60),
    "an unverified address": claims(email="head@school.example", email_verified=False),
    "keys that nobody knows beside it": lambda p: p.published.extend(
        [{"kty": "PQ"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, {}]
    ),
    "no name of the key": lambda p: p.header.update(kid=None),
}


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS.keys())
async def test_what_is_true_is_believed(provider: HostileProvider, truth: Change) -> None:
    truth(provider)
    assert (await signed_on(sign_on_at(provider.issuer), provider)).subject == SUBJECT


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(ECKey.generate_key("P-256", {"kid": "ec"}), "ES256"), (OKPKey.generate_key("Ed25519", {"kid": "ed"}), "EdDSA")],
    ids=["ES256", "EdDSA"],
)
async def test_keys_on_curves_are_known(provider: HostileProvider, key: Any, algorithm: str) -> None:
    provider.key, provider.algorithm, provider.published = key, algorithm, [key]
    assert (await signed_on(sign_on_at(provider.issuer), provider)).subject == SUBJECT


async def test_keys_that_rotate_are_fetched_anew(provider: HostileProvider) -> None:
    clock = [0.0]
    sign_on = sign_on_at(provider.issuer, clock_s=lambda: clock[0])
    await signed_on(sign_on, provider)
    clock[0] += 30
    provider.rotate()
    assert (await signed_on(sign_on, provider)).subject == SUBJECT
    assert provider.asked.count("keys") == 2


async def test_a_key_that_nobody_has_does_not_make_us_ask_each_time(provider: HostileProvider) -> None:
    clock = [0.0]
    sign_on = sign_on_at(provider.issuer, clock_s=lambda: clock[0])
    await signed_on(sign_on, provider)
    clock[0] += 30
    provider.header["kid"] = "nobody's"
    for _ in range(5):
        with pytest.raises(SignOnError):
            await signed_on(sign_on, provider)
    assert provider.asked.count("keys") == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"state": "x" * 43},
        {"state": ""},
        {"state": "状态"},
        {"code": ""},
        {"code": "x" * 5000},
        {"iss": "https://evil.example"},
        {"error": "server_error"},
        {"error": "<script>"},
    ],
    ids=str,
)
async def test_an_address_back_that_does_not_fit_is_refused_before_anything_is_asked(
    provider: HostileProvider, answer: dict[str, str]
) -> None:
    with pytest.raises(SignOnError):
        await signed_on(sign_on_at(provider.issuer), provider, **answer)
    assert "token" not in provider.asked


async def test_a_provider_that_names_itself_in_the_address_back_must_do_so(provider: HostileProvider) -> None:
    provider.discovery["authorization_response_iss_parameter_supported"] = True
    sign_on = sign_on_at(provider.issuer)
    with pytest.raises(SignOnError):
        await signed_on(sign_on, provider)
    assert (await signed_on(sign_on, provider, iss=provider.issuer)).subject == SUBJECT


# --- a provider that is away, slow, huge or leads elsewhere -------------------------------------------------


def answers(name: str, **response: Any) -> Change:
    return lambda provider: provider.answers.update({name: web.Response(**response)})


def elsewhere(name: str) -> Change:
    return lambda provider: provider.answers.update(
        {name: web.Response(status=307, headers={"Location": f"{provider.issuer}/elsewhere/{name}"})}
    )


def says(**document: Any) -> Change:
    return lambda provider: provider.discovery.update(document)


HUGE = b'{"keys": [' + b" " * MOST_BYTES + b"]}"
AWAY: dict[str, Change] = {
    "a huge document": answers("discovery", body=HUGE),
    "huge keys": answers("keys", body=HUGE),
    "a huge answer": answers("token", body=HUGE),
    "packed": answers("keys", body=b"x", headers={"Content-Encoding": "gzip"}),
    "a document elsewhere": elsewhere("discovery"),
    "keys elsewhere": elsewhere("keys"),
    "an answer elsewhere": elsewhere("token"),
    "a failure": answers("discovery", status=500),
    "a failure at the end": answers("token", status=502, text="<h1>Bad gateway</h1>"),
    "words": answers("discovery", text="<html>captive portal</html>"),
    "words for keys": answers("keys", text="no"),
    "words at the end": answers("token", text="no"),
    "no keys' address": says(jwks_uri=None),
    "keys that are no list": answers("keys", text='{"keys": 3}'),
    "another name": says(issuer="https://evil.example"),
    "an open line": says(token_endpoint="http://district.example/token"),
    "keys on an open line": says(jwks_uri="http://district.example/keys"),
    "a file for keys": says(jwks_uri="file:///etc/passwd"),
    "a script for a page": says(authorization_endpoint="javascript:alert(1)"),
    "a name in the address": says(token_endpoint="https://me:me@district.example/token"),
    "a broken address": says(token_endpoint="https://[::1/token"),
    "a broken port": says(token_endpoint="https://district.example:x/token"),
    "our secret is wrong": lambda p: p.answers.update(token=web.json_response({"error": "invalid_client"}, status=401)),
}


@pytest.mark.parametrize("trouble", AWAY.values(), ids=AWAY.keys())
async def test_a_provider_that_cannot_be_used_is_said_to_be_away(provider: HostileProvider, trouble: Change) -> None:
    trouble(provider)
    with pytest.raises(ProviderAwayError, match="统一认证 cannot be reached just now"):
        await signed_on(sign_on_at(provider.issuer), provider)
    assert "elsewhere" not in provider.asked


@pytest.mark.parametrize("name", ["discovery", "keys", "token"])
async def test_a_slow_provider_is_not_waited_for(provider: HostileProvider, name: str) -> None:
    provider.waits_s[name] = 5.0
    begun_s = time.monotonic()
    with pytest.raises(ProviderAwayError):
        await signed_on(sign_on_at(provider.issuer, patience_s=0.2), provider)
    assert time.monotonic() - begun_s < provider.waits_s[name]


async def test_a_provider_that_drips_is_not_waited_for() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    app = web.Application()
    app.router.add_get("/{any:.*}", drip)
    async with TestServer(app) as server:
        with pytest.raises(ProviderAwayError):
            await sign_on_at(f"http://127.0.0.1:{server.port}", patience_s=0.3).begin(BACK)


async def test_a_provider_that_comes_back_is_asked_again(provider: HostileProvider) -> None:
    sign_on = sign_on_at(provider.issuer)
    provider.answers["discovery"] = web.Response(status=503)
    with pytest.raises(ProviderAwayError):
        await sign_on.begin(BACK)
    del provider.answers["discovery"]
    assert (await signed_on(sign_on, provider)).subject == SUBJECT


async def test_nobody_at_the_address_is_said_so() -> None:
    with pytest.raises(ProviderAwayError):
        await sign_on_at("http://127.0.0.1:9").begin(BACK)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example",
        "http://127.0.0.1.example",
        "http://user@127.0.0.1",
        "ftp://login.example",
        "login.example",
        "https://",
        "https://login.example#x",
        "https://login.example?x",
        "",
    ],
)
def test_an_issuer_on_an_open_line_is_refused_at_the_start(issuer: str) -> None:
    with pytest.raises(UsageError, match="not an https"):
        ProviderDocuments(config_of(issuer))


def test_an_authority_that_is_no_file_is_told() -> None:
    with pytest.raises(UsageError, match="ca ="):
        ProviderDocuments(config_of("https://login.example", ca="/nowhere.pem"))


def test_the_configuration_says_where_people_sign_on(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[sso]\nissuer = "https://login.example"\nclient_id = "us"\nclient_secret_file = "secret"\n')
    (tmp_path / "secret").write_text("s3cret\n")
    sso = load_config(file, {"CLASSGATE_SSO_TITLE": "统一认证"}).sso
    assert sso is not None
    assert (sso.title, secret_of(sso)) == ("统一认证", "s3cret")
    plain = load_config(file, {}).sso
    assert plain is not None
    assert plain.title == "login.example"


def test_without_an_issuer_nobody_signs_on_elsewhere(tmp_path: Path) -> None:
    assert load_config(None, {}).sso is None
    file = tmp_path / "gateway.toml"
    file.write_text('[sso]\nissuer = "https://login.example"\n')
    with pytest.raises(BadFileError, match="no client_id"):
        load_config(file, {})


def test_a_secret_that_is_no_file_is_told() -> None:
    with pytest.raises(UsageError, match="client_secret_file"):
        secret_of(config_of("https://login.example", client_secret_file="/nowhere"))
