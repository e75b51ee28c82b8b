"""Secrets in any text: messages, tracebacks, URLs, JSON, queries, headers, command lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qudag_otel._redact import names, shapes
from qudag_otel._redact.folding import folded
from qudag_otel._redact.names import Verdict, verdict
from qudag_otel._redact.shapes import (
    BEFORE,
    DIGEST,
    FIRST,
    KEY,
    LONG_HEX,
    NO_WORD,
    SHAPES,
    TOKEN,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK: Final = shapes.MASK
"""What stands where a secret stood."""
LIMIT: Final = 1 << 18
"""How many characters of one text leave the process; what is longer is cut."""
ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"

_USER: Final = "****"  # in a URL, where brackets would begin an address
_CACHED_LENGTH: Final = 200
_CACHED: Final = 4096
_LEAST_LEARNED: Final = 6
_LEAST_TOKEN: Final = 16
_PROSE: Final = 10  # letters: `token: unexpected` is a sentence

_NAME: Final = re.compile(r"[\w.\-]*+")
_LONGEST_NAME: Final = 256
# A text without any of these has no name with a value, no URL and no word before a secret in it.
_TELLING: Final = re.compile(
    r"[=:>'\"%@$]|-[-ahkpuwKPU]|[IiAa][Ss][ \t]|[Ii][Cc][ \t+]|[Hh][Oo][Oo][Kk]|[Pp][Ww][ \t]"
    r"|[Rr](?:[Ee](?:[Rr][ \t+]|[Pp][Aa])|[Aa][Uu][Tt]|[Dd][ \t\n\\])"
)
# What separates a name from its value: name=, "name": , name['x'] =, name%3D, name>, 'name', 'x'.
_SEPARATOR: Final = re.compile(
    r"""(?:\\*+["'\])]|%5[Dd]|%2[27])*+(?:[ \t]*+"""
    r"""(=>|:=|==|(?:\+|\|\||\?\?)?=|\??:|>|%(?:25){0,3}3[AaDd]"""
    r"""|,(?=[ \t]*+[bru]?\\*+["'])))[ \t]*+"""
    # What YAML says of a value ahead of it, and how XML quotes one: !!str, &anchor, <![CDATA[.
    r"""(?:(?:!!?\w{1,40}|(?<=[: ])&\w{1,40})[ \t]++)?(?:<!\[CDATA\[)?+"""
)
# The same behind an option of a command line: --name value, '--name', 'value'.
_OPTION: Final = re.compile(r"""(?:\\*+["'],?[ \t]*+|[ \t]++)(?=[^\s\-])""")
# What opens a quoted value, such as 'x', \"x\", b'x' or SecretStr('x'.
_QUOTE: Final = re.compile(r"""(?:[A-Za-z_][\w.]{0,40}\(|[bBrRuUfF]{1,2})?(\\*+["'])""")
# Name and value as two fields: "name": "x", "value": "y" and name="x" value="y".
_VALUE: Final = re.compile(
    r"""(?i)(?:\\*+["'])?,?(?:\s|\\n){0,20}"""
    r"""(?:[\w\-]{1,40}=\\?(?:"[^"<>]{0,100}"|'[^'<>]{0,100}'|[^\s"'<>]{1,100})\s{1,20}){0,4}"""
    r"""(?:\\*+["'])?value(?:\\*+["'])?[ \t]*+[:=][ \t]*+"""
)
# A value below its name, as YAML has it: the end of the line, perhaps with how it is folded.
_BELOW: Final = re.compile(r"(?:[|>][-+\d]{0,2}[ \t]*+)?(?:\r?\n|(?:\\r)?\\n)((?:[ \t]|-[ \t])++)")
_LINE_BELOW: Final = re.compile(r"""(?:(?!\\[rn])[^\r\n"'<>])++""")
_BRACKET: Final = re.compile(r"[\[{(]")
_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}
_UNTIL: Final = {">": "<", ";": ";"}
_SCHEME: Final = re.compile(
    r"(?i)(?:bearer|basic|digest|token|apikey|negotiate|aws4-hmac-sha256)\s++"
)
_BARE: Final = re.compile(r"(?:(?!%2[26])[^\s,;&<>])*+")
_LINE: Final = re.compile(r"""[^\r\n"'<>]*+""")
# Values that are none, and the types of annotations.
_NOTHING: Final = re.compile(
    r"(?:none|null|nil|true|false|undefined|str|bytes|int|bool|any|object|optional|\*+|-+|\.+|"
    r"\[?redacted\]?|secretstr|string)?[\])}\"'.|\\]*+\Z",
    re.IGNORECASE,
)
# A URL's beginning where a user follows: `://name@` or `://name:` without a port behind it, the
# slashes perhaps escaped as in JSON; without a scheme, `//name:`.
_USERINFO: Final = re.compile(
    r"""(:\\{0,8}/\\{0,8}/|(?<![\w:/\\])//(?=[^\s/?#@"'<>:\\]++:))[^\s/?#@"'<>:]*+"""
    r"""(?:@|:(?!\d{1,5}(?:[/?#\s"'<>,;)\]}\\]|\Z)))"""
)
_RUN: Final = re.compile(r"""[^\s"'<>]*+""")


_clean: set[str] = set()
_stems = names.stems()
_epoch = 0


def epoch() -> int:
    """Changes whenever what is a secret does; for who keeps what it has masked."""
    return _epoch


def _changed() -> None:
    global _epoch  # noqa: PLW0603 - a count of the process
    _epoch += 1
    _clean.clear()


_learned: tuple[str, ...] = ()
_patterns: tuple[re.Pattern[str], ...] = ()


def mask(text: str) -> str:
    """A text as it may leave the process; the same object where there is nothing to mask.

    It is valid Unicode and has at most `LIMIT` characters.
    """
    if text in _clean:
        return text
    if not text.isascii():
        text = valid(text)
    cut = len(text) > LIMIT
    if cut:
        text = text[:LIMIT]
    found = _scanned(text)
    if cut:
        return found + ELLIPSIS
    if found is text and len(text) <= _CACHED_LENGTH:
        if len(_clean) >= _CACHED:
            _clean.clear()
        _clean.add(text)
    return found


def valid(text: str) -> str:
    """A text as UTF-8 can carry it: a lone surrogate, as in file names, becomes its escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _scanned(text: str) -> str:
    found = text
    for literal in _learned:
        if literal in found:
            found = found.replace(literal, MASK)
    if _TELLING.search(folded(found)):
        found = _told(found)
    for own in _patterns:
        found = own.sub(MASK, found)
    if len(found) >= _LEAST_TOKEN:
        masked = TOKEN.sub(_token, found)
        return found if masked == found else masked
    return found


def _told(text: str) -> str:
    """Mask what the words or characters around it make a secret."""
    plain = folded(text)
    lower = plain.lower()
    found = text
    for needles, pattern, kept in FIRST:
        if needles[0] in lower:
            found = pattern.sub(kept, found)
    if "/" in found:
        found = _without_users(found)
    if found is not text:
        plain = folded(found)
        lower = plain.lower()
    found = _without_named(found, plain, lower)
    for needles, pattern, kept in SHAPES:
        for needle in needles:  # any() would cost more than all of it
            if needle in lower:
                found = pattern.sub(kept, found)
                break
    return found


def _token(match: re.Match[str]) -> str:
    """A long word, with the key in it masked."""
    text, start, end = match.string, match.start(), match.end()
    if not NO_WORD.search(text, start, end):
        return match[0]
    if key := KEY.search(text, start, end):
        return text[start : key.start()] + MASK
    if LONG_HEX.fullmatch(text, start, end):
        before = text[max(0, start - BEFORE) : start]
        return match[0] if DIGEST.search(before) else MASK
    return match[0]


def _without_users(text: str) -> str:
    """Mask user and password of every URL: up to the last @, as both may hold one, and a slash."""
    parts: list[str] = []
    done = position = 0
    while found := _USERINFO.search(text, position):
        if found[0].endswith("@"):  # no password that could hold a further @
            parts += (text[done : found.end(1)], _USER)
            done = position = found.end() - 1
            continue
        end = _end(_RUN, text, found.end())
        last = text.rfind("@", found.start(), end)
        if last < 0:
            position = end
            continue
        parts += (text[done : found.end(1)], _USER)
        done = position = last
    return "".join([*parts, text[done:]]) if parts else text


def _without_named(text: str, plain: str, lower: str) -> str:
    """Mask what follows a secret's name."""
    parts: list[str] = []
    done = position = 0
    for stem in _stems.finditer(lower):
        if stem.start() < position:
            continue
        position = _end(_NAME, plain, stem.end())
        between = (
            _VALUE.match(plain, position)
            or _SEPARATOR.match(plain, position)
            or _OPTION.match(plain, position)
        )
        if between is None:
            continue
        begin = _begin(plain, stem.start())
        separator = (
            between[1] if between.re is _SEPARATOR else " " if between.re is _OPTION else "="
        )
        if separator == " " and plain[begin] != "-":
            continue
        judged = verdict(plain[begin:position])
        if judged is Verdict.PLAIN:
            continue
        if separator == "=" and text[begin - 1 : begin] == ";":
            separator = ";"
        if separator == ":" and (below := _BELOW.match(plain, between.end())):
            start, end = _below(plain, begin, below, judged)
        else:
            start, end = _extent(plain, between.end(), judged, separator)
        if _harmless(text[start:end], judged, separator):
            continue
        parts += (text[done:start], MASK)
        done = position = end
    return "".join([*parts, text[done:]]) if parts else text


def _below(text: str, begin: int, first: re.Match[str], judged: Verdict) -> tuple[int, int]:
    """Where a value stands that begins on the next line: all lines that stand further right."""
    start = first.end()
    if _QUOTE.match(text, start) or _BRACKET.match(text, start):
        return _extent(text, start, judged, ":")
    name = begin
    while name > 0 and begin - name < _LONGEST_NAME and text[name - 1] in " \t-":
        name -= 1
    end = start
    below: re.Match[str] | None = first
    while below is not None and len(below[1]) > begin - name:
        end = _end(_LINE_BELOW, text, below.end())
        below = _BELOW.match(text, end)
    if judged is Verdict.UNLESS_NUMBER and not text[start:end].strip().isalnum():
        return start, start  # of a token or a signature, a sentence may tell, too
    return start, end


def _begin(text: str, inside: int) -> int:
    """Where the name begins that a place is inside of."""
    least = max(0, inside - _LONGEST_NAME)
    while inside > least and (text[inside - 1].isalnum() or text[inside - 1] in "_.-"):
        inside -= 1
    # Behind a percent sign, two digits are a character of their own.
    return inside + 2 if text[inside - 1 : inside] == "%" else inside


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position


def _extent(text: str, position: int, judged: Verdict, separator: str) -> tuple[int, int]:
    """Where the value begins and ends that stands at a position."""
    if quote := _QUOTE.match(text, position):
        end = text.find(quote[1], quote.end())
        # Within quotes a backslash hides a quote; a longer run of them is the value's own.
        while end > 0 and text[end - 1] == "\\" and not quote[1].startswith("\\"):
            end = text.find(quote[1], end + 1)
        return quote.end(), len(text) if end < 0 else end
    if bracket := _BRACKET.match(text, position):
        end = text.find(_CLOSING[bracket[0]], bracket.end())
        return position, len(text) if end < 0 else end + 1
    if judged is Verdict.PHRASE and separator in {":", "=", " "}:
        return position, _end(_LINE, text, position)
    if separator in _UNTIL:  # an element of XML, a connection string
        end = text.find(_UNTIL[separator], position)
        return position, len(text) if end < 0 else end
    scheme = _SCHEME.match(text, position)
    end = _end(_BARE, text, scheme.end() if scheme else position)
    while end > position and text[end - 1] in ")]}\"'\\":
        end -= 1
    return position, end


def _harmless(value: str, judged: Verdict, separator: str) -> bool:
    if not value or _NOTHING.match(value):
        return True
    if judged is not Verdict.UNLESS_NUMBER:
        return False
    prose = separator != "=" and len(value) <= _PROSE and value.isalpha() and value.islower()
    return prose or value.replace(".", "", 1).isdecimal()


def learn(*secrets: str) -> None:
    """Mask these very texts from now on, wherever they stand; for values of settings.

    Args:
        secrets: The values; what is shorter than 6 characters could be anything and is left out.
    """
    global _learned  # noqa: PLW0603 - replaced whole, so that a thread sees the old or the new
    found = {part for secret in secrets for part in _spellings(secret)}
    # The longest first: one may be a part of another.
    _learned = tuple(sorted({*_learned, *found}, key=lambda part: (-len(part), part)))
    _changed()


def _spellings(secret: str) -> Iterable[str]:
    words = [secret, secret.strip(), *secret.split()]
    for word in words:
        for spelled in (word, repr(word)[1:-1]):
            if len(spelled) >= _LEAST_LEARNED and not _SCHEME.fullmatch(spelled + " "):
                yield spelled


def add(patterns: Iterable[re.Pattern[str]]) -> None:
    """Mask what further patterns match."""
    global _patterns  # noqa: PLW0603 - replaced whole
    _patterns = (*_patterns, *patterns)
    _changed()


def add_names(found: Iterable[str]) -> None:
    """Mask what is called by further names, each by all of its words."""
    global _stems  # noqa: PLW0603 - replaced whole
    names.add(found)
    _stems = names.stems()
    _changed()


def reset() -> None:
    """Forget what `learn` and `add` added; for tests."""
    global _learned, _patterns
    _learned, _patterns = (), ()
    names.reset()
    add_names(())
