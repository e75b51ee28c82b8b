"""The redactor alone: names, shapes, texts and values."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qudag_otel._redact import MASK, attributes, exportable, mask, names, rendered, texts, values
from qudag_otel._redact.names import Verdict, verdict
from qudag_otel.redaction import mask_also, redacted
from tests.redact.corpus import INNOCENT, PLANTED, Planted

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def extended() -> Iterator[None]:
    """What a test adds to the redactor is taken back."""
    yield
    texts.reset()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.text[:30].encode().hex()[:24])
def test_planted_secret_is_masked_and_its_neighbours_stay(planted: Planted) -> None:
    """Of each text nothing secret is left, what is not secret is, and twice is like once."""
    assert all(secret in planted.text for secret in planted.secrets)
    found = mask(planted.text)
    assert [secret for secret in planted.secrets if secret in found] == []
    assert [word for word in planted.keep if word not in found] == []
    assert mask(found) == found


@pytest.mark.parametrize(
    "value",
    [
        ["prog", b"--password", b"Hunter2zz"],
        ["keytool", "-storepass", "Hunter2zz"],
        ["lftp", "-u", "bob,Hunter2zz"],
        ["mongosh", "-p", "Hunter2zz"],
        ["mosquitto_pub", "-P", "Hunter2zz"],
        ["curl", "-u", "bob:with spaces, Hunter2zz"],
        ["/usr/bin/7z", "x", "-pwith spaces, Hunter2zz", "a.7z"],
        ["az", "login", "-u", "bob", "-p", "Hunter2zz"],
        ["openssl", "rsa", "-passin", "pass:with spaces, Hunter2zz"],
        ["kubectl", "create", "secret", "generic", "x", "--from-literal", "k=a Hunter2zz"],
        {"field": "password", "value": "Hunter2zz"},
        "password: !!str Hunter2zz",
        "password: &anchor Hunter2zz",
        "<password><![CDATA[Hunter2zz]]></password>",
        "password%253DHunter2zz",
        "password ||= 'Hunter2zz'",
        "password?: Hunter2zz",
        "adgangskode: Hunter2zz",
        "κωδικός: Hunter2zz",
        "סיסמה: Hunter2zz",
    ],
)
def test_secret_that_its_place_betrays_is_masked_in_any_value(value: object) -> None:
    """Options as bytes, further commands, tags and anchors of YAML, CDATA, names elsewhere."""
    found = str(exportable(value))
    assert "Hunter2zz" not in found
    assert MASK in found


def test_empty_value_of_a_query_does_not_hide_what_follows() -> None:
    """An ampersand behind it begins the next name, no anchor."""
    assert mask("password=&user bob") == "password=&user bob"


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_text_stays_as_it_is(text: str) -> None:
    """What only reminds of a secret is the same object afterwards."""
    assert mask(text) is text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20 + "{}",
        "line before\n{}",
        "{}\nline after",
        '{{"message": "{}"}}',
        "('{}',)",
        "é {}",
        "İ {}",  # its small letter is longer
    ],
)
def test_planted_secret_within_another_text_is_masked(text: str) -> None:
    """What stands around a secret does not hide it."""
    left = [
        (one.text, secret)
        for one in PLANTED
        # After letters that touch it, a name is another one.
        if not text.startswith("aaa")
        for secret in one.secrets
        if secret in mask(text.format(one.text))
    ]
    assert left == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, Verdict.SECRET) for name in (
            "password", "pwd", "db_pwd", "password_hash", "passwd2", "pw_hash", "access_key",
            "aws_secret", "pin", "otp", "ssh_key", "private_key_pem", "dbPassword", "X-Api-Key",
            "AccountKey", "PGPASSWORD", "client_secret", "user[password]", "Authorization",
            "\uff50assword", "p\u0430ssw\u043erd", "\u041f\u0430\u0440\u043e\u043b\u044c",
            "x" * 1000 + ".password",
        )),
        *((name, Verdict.UNLESS_NUMBER) for name in ("tokens", "auth", "seed", "authToken")),
        *((name, Verdict.PHRASE) for name in ("mnemonic", "Cookie", "seed_phrase")),
        *((name, Verdict.PLAIN) for name in (
            "passengers", "seedling", "secretary", "compass", "public_key", "token_count",
            "password_length", "cache_key", "spin", "", "-", "key", "author",
        )),
    ],
)  # fmt: skip
def test_name_is_judged_by_its_words(name: str, expected: Verdict) -> None:
    """Parts of longer words do not count, spellings do."""
    assert verdict(name) is expected


@pytest.mark.parametrize(
    "name",
    [
        "pw", "creds", "cvv", "jwt", "sid", "csrf", "sig", "seed_words", "hmac_key", "pword",
        "authorization", "recovery_phrase", "backup_words", "otp", "key_material", "passcode",
    ],
)  # fmt: skip
def test_every_kind_of_name_is_found_in_a_text(name: str) -> None:
    """A text is searched for the stems of names first: none may be missing there."""
    assert mask(f"a={name} {name.upper()}=Zx9-plant") == f"a={name} {name.upper()}={MASK}"


@dataclasses.dataclass
class Login:
    user: str = "bob"
    password: str = "hunter2"
    tokens: int = 5
    hidden: str = dataclasses.field(default="hunter2", repr=False)


class Pair(NamedTuple):
    user: str
    pwd: str


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("hunter2")


class Level(enum.IntEnum):
    HIGH = 3


class Shouting(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError


class Endless(collections.abc.Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        while True:
            yield "k"

    def __len__(self) -> int:
        raise OverflowError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"password": "hunter2", "n": 1}, {"password": MASK, "n": 1}),
        ({"a": [{"db_pwd": b"hunter2"}]}, {"a": [{"db_pwd": MASK}]}),
        (Login(), {"user": "bob", "password": MASK, "tokens": 5}),
        (Pair("bob", "hunter2"), {"user": "bob", "pwd": MASK}),
        ([("authorization", "hunter2")], [["authorization", MASK]]),
        (("x-api-key", b"hunter2"), ["x-api-key", MASK]),
        (["run", "--password", "hunter2", "-v"], ["run", "--password", MASK, "-v"]),
        (["curl", "-u", "bob:hunter2", 3], ["curl", "-u", f"bob:{MASK}", 3]),
        (["mysql", "-phunter2"], ["mysql", f"-p{MASK}"]),
        (("docker", "login", "-p", "hunter2"), ["docker", "login", "-p", MASK]),
        (["ls", "-u", "bob:x"], ["ls", "-u", "bob:x"]),
        ({"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "DB_PASSWORD", "value": MASK}),
        ([{"Key": "token", "Value": "x1"}], [{"Key": "token", "Value": MASK}]),
        ({"name": "port", "value": "17"}, {"name": "port", "value": "17"}),
        (b"password=hunter2", f"password={MASK}"),
        (bytearray(b"ab"), "ab"),
        ("caf\udce9", "caf\\udce9"),
        ({"\ud800": "\ud800"}, {"\\ud800": "\\ud800"}),
        (float("nan"), "nan"),
        (1 << 63, str(1 << 63)),
        (-(1 << 63), -(1 << 63)),
        (10**5000, "<int of 16610 bits>"),
        (Level.HIGH, 3),
        (Shouting("loud"), "loud"),
        (Broken(), "<Broken: RuntimeError in str>"),
        ({1, 2}, [1, 2]),
        (None, None),
        (True, True),
    ],
    ids=lambda one: type(one).__name__,
)
def test_any_value_becomes_plain_and_masked(value: object, expected: object) -> None:
    """Structure stays, secrets go by their names, and what cannot be shown says so."""
    found = exportable(value)
    assert found == expected
    assert type(found) is type(expected)
    assert exportable(value, name="password") in (MASK, None, True)


@pytest.mark.parametrize(
    "value",
    [
        range(200_000_000),
        b"x" * 50_000_000,
        "x" * 50_000_000,
        [["x" * 1000] * 1000] * 1000,
        {str(number): "x" * 1000 for number in range(20_000)},
        Endless(),
        10**100_000,
    ],
    ids=["range", "bytes", "str", "lists", "dict", "endless", "int"],
)
def test_huge_value_is_not_built_beyond_what_is_kept(value: object) -> None:
    """The text of a value has a bound, and is made in a moment."""
    began = time.process_time()
    found = json.dumps(exportable(value))
    short = rendered(value, 256)
    assert len(found) < 2 * values.TEXT + 30 * values.TOTAL
    assert len(str(short)) <= 256
    assert time.process_time() - began < 2


def test_cycle_ends() -> None:
    """What holds itself is followed to a depth."""
    cycle: list[object] = []
    cycle.append(cycle)
    assert json.dumps(exportable(cycle)).count("[") < 30


def test_attributes_without_a_secret_are_the_same_object() -> None:
    """Most attributes cost a look-up each and no copy."""
    given_attributes = {"a": "b", "n": 1, "l": ("x", "y"), "b": b"ab", "f": 0.5, "t": True}
    assert attributes(given_attributes) is given_attributes
    assert attributes({"password": "x", "u": ("redis://:p@h",), "n": 1 << 70}) == {
        "password": MASK, "u": ("redis://****@h",), "n": str(1 << 70),
    }  # fmt: skip


_UNIT = 1 << 17
_HOSTILE = [
    "a", "-", "=", ":", "0", " ", "\\", "\n", "://", "://a:b", "@://a:b", "password=", "password='",
    "password=\\'\\\\", "eyJ", "-eyJ", ".-eyJ", "-----BEGIN PRIVATE KEY", "bearer ", "basic ",
    "sk-", "sk-1", "-ghp_1", "-AA", "1:AA", "SG.123456789012.", "0x", "deadbeef", "a:[", "token:[",
    "token:(\"'", "password is ", "--a ", "-a", "password '", "identified by ", "a%3D", "pwd=a[",
    "header value", "metadata was invalid", "token,'", "mnemonic: a'", "passpass", "key is x",
    "hooks.slack.com/services/", "basica", "pass%", "%pass", "secret=x;", "'pass'",
]  # fmt: skip


@pytest.mark.parametrize("unit", _HOSTILE, ids=lambda unit: unit.encode().hex())
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """Twice the text takes about twice the time, whatever is repeated in it."""

    def seconds(length: int) -> float:
        text = unit * (length // len(unit)) + "@"
        began = time.process_time()
        mask(text)
        return time.process_time() - began

    small, large = min(seconds(_UNIT // 16) for _ in range(3)), seconds(_UNIT)
    # A quadratic one would need 256 times, thus 16 times of what is allowed here.
    assert large < 16 * (3 * small + 0.01)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.binary()
        | st.text(alphabet=st.characters(blacklist_categories=())) | st.builds(Broken),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=8,
    )
)  # fmt: skip
def test_any_value_is_exportable(value: object) -> None:
    """Strict JSON and UTF-8 can carry what comes out, and nothing is raised."""
    json.dumps(exportable(value), allow_nan=False, ensure_ascii=False).encode()
    assert len(str(rendered(value, 64)).encode("utf-8", "strict").decode()) <= 330


def test_long_text_is_cut_after_masking() -> None:
    """What is cut off does not take the end of a secret with it."""
    text = mask("x " * (texts.LIMIT // 2 - 20) + "password='" + "S" * 100)
    assert text.endswith(f"{MASK}…")
    assert "SS" not in text


@pytest.mark.usefixtures("extended")
def test_application_adds_names_patterns_and_values() -> None:
    """What is a secret can be extended, and is masked in names, dicts and texts."""
    text = "walletId=abc badge 4711-0815-X of s3same-open"
    assert mask(text) is text
    mask_also(names=["wallet id"], patterns=[r"\d{4}-\d{4}-X"], values=["s3same-open", "of"])
    assert mask(text) == f"walletId={MASK} badge {MASK} of {MASK}"
    assert redacted({"my.WALLET_ID": 5}) == {"my.WALLET_ID": MASK}
    assert redacted("x", name="wallet-id") == MASK
    texts.reset()
    assert mask(text) is text


@pytest.mark.usefixtures("extended")
def test_learned_value_is_masked_in_each_spelling() -> None:
    """A header's value is found with its line end escaped, and without its scheme."""
    texts.learn("Bearer S3CRET-1\n")
    assert "S3CRET" not in mask("bad value b'Bearer S3CRET-1\\n', 'S3CRET-1'")
    assert mask("Bearer of news") == "Bearer of news"


def test_caches_stay_bounded() -> None:
    """Names and texts that never repeat are forgotten again."""
    for number in range(10_000):
        verdict(f"name{number}")
        mask(f"text {number}")
    caches: list[Any] = [names._cache, texts._clean]
    assert [len(cache) <= 4096 for cache in caches] == [True, True]
