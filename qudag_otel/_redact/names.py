"""Secrets by name: what a field, argument, header, variable or option is called.

A name is split into words (`dbPassword2`, `X-Api-Key`, `db_pwd`), so that `passengers` and
`seedling` stay what they are.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

from qudag_otel._redact.folding import folded

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(enum.IntEnum):
    """What a name says about its value."""

    PLAIN = 0
    UNLESS_NUMBER = 1
    """Masked if it is text: `tokens=512` is a count, `tokens="ab12"` is not."""
    SECRET = 2
    """Masked, whatever it is."""
    PHRASE = 3
    """Masked, and in a text up to the end of the line: its words are separated by spaces."""


# Each stands between underscores in the words of a name, which are joined by one underscore.
_PHRASES: Final = (
    r"mnemonics?|(seed|recovery|backup|secret)_(phrases?|words?)|set_cookie2?|cookies?"
)
_WORDS: Final = (
    r"pw|pwd|pword|pin|otp|totp|jwt|cvv|cvc|cvn|psk|creds?|(root|bind)pw|authtok|client_key_data"
    r"|kennwort|senha|contrasena|wachtwoord|haslo|losenord|mot_de_passe|palavra_passe"
    r"|storepass|keypass|heslo|jelszo|salasana|adgangskode|passord|sifre"
    r"|(proxy_)?authori[sz]ation|private|priv_?key|key_?material"
    r"|(recovery|backup|security|verification|auth|authori[sz]ation|access)_codes?"
    r"|(api|access|private|secret|ssh|sign|signing|encrypt|encryption|decrypt|decryption|master"
    r"|account|shared|auth|session|service|deploy|license|aes|rsa|dsa|ecdsa|hmac|des|cipher|crypto"
    r"|wallet|symmetric|consumer|app|application|admin|webhook|subscription|function|functions"
    r"|stripe|aws|azure|gcp|openai|anthropic|sendgrid|datadog|dd|instrumentation|ingest|root"
    r"|identity|ed25519|x25519|kem|dilithium|ml_dsa|ml_kem|fernet|django|flask|jwt|tls|ssl|pgp|gpg)"
    r"_keys?"
)
# These stand anywhere in a word: `mypassword`, `passwordhash`.
_STEMS: Final = (
    r"passw(?!ordless)|passphrase|passcode|secret(?!ar)|credential|mnemonic|apikey|privatekey"
    r"|accesskey|secretkey|sshkey|signingkey|encryptionkey|sharedkey|accountkey|pgpass|pwdhash"
    r"|dockerconfigjson|requirepass|masterauth|motdepasse"
)
# The same word elsewhere.
_ELSEWHERE: Final = (
    "парол", "лозинка", "密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "암호",
    "κωδικός", "סיסמה", "סיסמא", "كلمة المرور", "كلمة السر", "كلمة مرور", "رمز المرور", "رمز عبور",
    "گذرواژه", "پاس ورڈ", "पासवर्ड", "कूटशब्द", "পাসওয়ার্ড", "கடவுச்சொல்", "รหัสผ่าน", "პაროლი",
    "գաղտնաբառ", "mật khẩu", "kata sandi", "kata laluan", "lozinka", "parool", "slaptažodis",
    "contrasenya", "nenosiri",
)  # fmt: skip
_SOFT: Final = (
    r"pass|user_?pass|tokens?|[a-z]{2,20}token|auth|oauth|bearer|seeds?|signatures?|sig|csrf|xsrf"
    r"|session_?id|phpsessid|jsessionid|sid"
)
# A name that ends so tells something about a secret, not the secret.
_ABOUT: Final = re.compile(
    r"_(counts?|len|length|size|bytes|limit|ttl|age|expir(y|es|ed|ation)|expires_(in|at)|issued_at"
    r"|types?|kind|policy|policies|alg|algorithm|version|enabled|valid|required|present|method"
    r"|provider|rate|total|budget|url|uri|endpoint|status|reason|error|usage|field|name|file|path"
    r"|strength)_$"
)
_SPLIT: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W\d_]+")


def _words(name: str) -> str:
    """A name as words in lower case with one underscore between; marks on letters separate, too."""
    # `auth.token.` of a path and `token[0]` of a form end with their separator.
    return _SPLIT.sub("_", folded(name)).strip("_").lower()


_PUBLIC: Final = re.compile(r"_public_(\w+_)*keys?_")
_LONGEST: Final = 256  # of a name, only its end is looked at
_CACHED: Final = 4096

STEMS: Final = (
    r"pass|pw|secret|token|key|cred|auth|cookie|mnemonic|seed|phrase|word|code|otp|pin|cv[vcn]|jwt"
    r"|sig|ses|csrf|xsrf|sid|private|bearer|kennwort|senha|contrasena|psk|authtok|wachtw|haslo"
    r"|losenord|dockerconfig|heslo|jelszo|salasana|adgangskode|sifre|"
) + "|".join(folded(word).lower().replace(" ", r"[ _\-]?") for word in _ELSEWHERE)
"""Each of the names above has one of these; what a text is searched for first, in lower case."""

_more: list[str] = []
_cache: dict[str, Verdict] = {}


def _compiled() -> tuple[tuple[re.Pattern[str], Verdict], ...]:
    words = "|".join([_WORDS, *_more])
    elsewhere = "|".join(_words(word).replace("_", "_?") for word in _ELSEWHERE)
    return (
        (re.compile(f"_({_PHRASES})_"), Verdict.PHRASE),
        (re.compile(f"_({words})_|{_STEMS}|{elsewhere}"), Verdict.SECRET),
        (re.compile(f"_({_SOFT})_"), Verdict.UNLESS_NUMBER),
    )


_rules = _compiled()


def verdict(name: str) -> Verdict:
    """Whether what is called so is a secret."""
    found = _cache.get(name)
    if found is None:
        if len(_cache) >= _CACHED:
            _cache.clear()
        found = _cache[name[:]] = _judge(name)
    return found


def _judge(name: str) -> Verdict:
    if len(name) > _LONGEST:
        name = name[-_LONGEST:]
    words = f"_{_words(name)}_"
    if _ABOUT.search(words):
        return Verdict.PLAIN
    for pattern, found in _rules:
        if pattern.search(words):
            return Verdict.PLAIN if _PUBLIC.search(words) else found
    return Verdict.PLAIN


def add(names: Iterable[str]) -> None:
    """Treat further names as secrets, each by all of its words: "wallet id" is `walletId`, too."""
    global _rules  # noqa: PLW0603 - replaced whole, so that a thread sees the old or the new
    for name in names:
        words = _words(name)
        if words:
            _more.append(re.escape(words))
    _rules = _compiled()
    _cache.clear()


def stems() -> re.Pattern[str]:
    """Finds in a text in lower case where the name of a secret could be."""
    return re.compile("|".join([STEMS, *(name.replace("_", r"[\W\d_]{0,3}") for name in _more)]))


def reset() -> None:
    """Forget what `add` added; for tests."""
    _more.clear()
    add(())
