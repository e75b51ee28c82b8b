"""Secrets by shape: credentials that give themselves away wherever they stand.

Every pattern takes time linear in the text: no two neighbouring repetitions match the same
character, and none begins again in the middle of what it has just failed on.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MASK: Final = "[redacted]"
_BEHIND: Final = rf"\1{MASK}"


class Shape(NamedTuple):
    """A secret that is known by the words around it.

    Args:
        needles: Parts of a text in lower case, one of which is there wherever the secret is.
        pattern: What is masked.
        kept: What stands in its place then.
    """

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    kept: str = MASK


_PEM: Final = Shape(
    ("private",),
    re.compile(
        r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-{4,5}.*?"
        r"(?:-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-{4,5}|\Z)",
        re.DOTALL,
    ),
)
# A secret of Kubernetes, key by key.
_LITERAL: Final = Shape(
    ("--from-literal",),
    re.compile(
        r"(--from-literal(?:=|['\", ]{1,4}?)(['\"])?[\w.\-]{1,253}=)"
        r"(?(2)(?:(?!\2)[^\n])+|(?:\"[^\"\n]*+\"?|[^\s'\",]+))"
    ),
    _BEHIND,
)
_LITERAL_WORD: Final = re.compile(r"(?s)(--from-literal[=\0][\w.\-]{1,253}=)[^\0]+")

FIRST: Final = (_PEM, _LITERAL)
"""Before names are looked for: their lines have spaces, their command a name of its own."""

TOKEN: Final = re.compile(r"(?<![A-Za-z0-9_.\-])[A-Za-z0-9_.\-]{16,}+")
"""What is long enough for a key; `KEY` and `LONG_HEX` look at nothing else."""
NO_WORD: Final = re.compile(r"[0-9A-Z]")
"""Every key has digits or capitals, most words have neither."""
KEY: Final = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))(?:"
    r"(?<![_-])eyJ[\w-]{4,}+(?:\.[\w-]*+)+"  # JSON web tokens
    r"|(?:AKIA|ASIA|ABIA|ACCA|AROA)[0-9A-Z]{12,}"  # Amazon
    r"|(?<=\d:)AA[\w-]{30,}"  # bots of Telegram
    r"|AIza[\w-]{30,}|dapi[0-9a-f]{32}|key-[0-9a-f]{32}|SG\.[\w-]{12,}\.[\w-]{12,}"
    r"|(?i:age-secret-key-1[0-9a-z]{30,})"
    # What providers put in front of their keys.
    r"|(?:gh[pousr]_|github_pat_|gl(?:pat|dt|rt)-|xox[abeprs]-|xapp-|whsec_|npm_|pypi-|dop_v1_"
    r"|hf_|shp(?:at|ss)_|dckr_pat_|lin_api_|nvapi-|gsk_|xai-|hv[sb]\.|ATATT3|GOCSPX-|ya29\.|sbp_"
    r"|r8_|figd_|glsa_|NRAK-|ph[cx]_|sntrys_|sq0[a-z]{3}-|EAAC|tfp_|pat-|[sr]k[-_])"
    r"[\w.\-]{12,})"
)

# Between the words of a command: spaces of a text, quotes of a list as text.
_GAP: Final = r"[ '\",]"
_SPACE: Final = r"(?:\s|\\[nrt]){1,20}"


class Command(NamedTuple):
    """A command with an option that holds a password.

    Args:
        text: Finds it in a text.
        words: Finds it in a list of words, with zeros between: there a password may have spaces.
    """

    text: Shape
    words: re.Pattern[str]


def _command(names: str, option: str, ahead: str = "", gap: str = "{0,4}") -> Command:
    """A command with an option of one letter that holds a password.

    Args:
        names: The command's name, or several with | between; of two words, with a space.
        option: The option.
        ahead: What stands before the password in the same word.
        gap: How many characters may stand between option and password, as a quantifier.
    """
    between = rf"(?:{_GAP}|=){gap}"
    text = rf"(?<!\.)\b(?:{names.replace(' ', _GAP + '{1,4}')})\w{{0,9}}\b[^\n]{{0,400}}?"
    words = names.replace(" ", "\0")
    return Command(
        Shape(
            tuple(name.split(" ")[-1] for name in names.split("|")),
            re.compile(
                rf"({text}{_GAP}{{1,4}}(?:{option}){between}{ahead})"
                r"(?!\[redacted\])[^\s'\",]+"
            ),
            _BEHIND,
        ),
        re.compile(
            rf"(?s)((?:\A|[\0/\\])(?:{words})\w{{0,9}}(?:\.exe)?\0(?:[^\0]+\0){{0,60}}?"
            rf"(?:{option})(?:\0|=){gap.replace('4', '1')}{ahead})(?!\[redacted\])[^\0]+"
        ),
    )


COMMANDS: Final = (
    _command("curl|wget", r"-[a-zA-Z]{0,8}u|--user|--proxy-user", r"[^\s:'\",\0]{0,100}:"),
    _command("smbclient", "-U", r"[^\s%'\",\0]{0,100}%"),
    _command("lftp", "-u", r"[^\s,'\",\0]{0,100},"),
    _command("sshpass|mysql|mariadb|docker login|mongo", "-p"),
    _command("7z|unrar", "-p", gap="{0}"),  # without a password behind it, -p asks for one
    _command("az login|acr login|oc login|podman login|registry login|skopeo login", "-p"),
    _command("openssl", "-(?:[kK]|hmac|psk)", gap="{1,4}"),
    _command("openssl", "-(?:pass|passin|passout)", "pass:"),
    _command("redis-cli", "-a"),
    _command("ldapsearch|ldapmodify|ldapwhoami|ldapadd|ldapdelete", "-w"),
    _command("unzip|zip|sqlcmd|mosquitto", "-P"),
)
"""Commands whose options of one letter hold a password, as a text or as a list of words."""

SHAPES: Final = (
    # A scheme of HTTP authentication with its credentials; "basic configuration" is none.
    Shape(
        ("bearer",),
        re.compile(
            r"(?i)\b(bearer(?:[ \t]|%20|\+)+)"
            r"(?!(?:auth\w*|tokens?|credentials?|scheme|realm|format)\b)[\w.~+/=%\-]{6,}"
        ),
        _BEHIND,
    ),
    Shape(
        ("basic",),
        re.compile(
            r"(?i:\b(basic(?:[ \t]|%20|\+)+))"
            r"(?=[\w~+/\-]{0,400}?(?:[0-9=]|[a-z][A-Z]|%3[dD]))[\w~+/=%\-]{6,}"
        ),
        _BEHIND,
    ),
    *(one.text for one in COMMANDS),
    # How Go names a database: user:password@tcp(host:3306)/name, user:password@/name.
    Shape(
        ("@tcp", "@unix(", "@udp", "@cloudsql", "@pipe(", "@/"),
        re.compile(
            r"((?<![\w.\-])[A-Za-z_][\w.\-]{0,63}:)[^\s\"'<>]{1,256}"
            r"(?=@(?:(?:tcp[46]?|unix|udp[46]?|cloudsql|cloudsql-mysql|pipe)\("
            r"|/[\w\-]{1,64}(?:[?\s\"',;:)\\<]|\Z)))"
        ),
        _BEHIND,
    ),
    # Files that name their fields by their places: ~/.netrc, ~/.pgpass.
    Shape(
        ("machine", "default"),
        re.compile(
            rf"(?i)(\b(?:machine{_SPACE}[^\s\\]{{1,255}}|default)"
            rf"(?:{_SPACE}(?:login|account){_SPACE}[^\s\\]{{1,255}}){{0,2}}"
            rf"{_SPACE}passw(?:or)?d{_SPACE})[^\s'\"\\]+"
        ),
        _BEHIND,
    ),
    Shape(
        (":*:", ":5432:", ":5433:", ":6432:"),
        re.compile(
            r"(:(?:\*|5432|5433|6432):[^\s:]{1,64}:[^\s:]{1,64}:)(?!\[redacted\])[^\s:'\"\\]+"
        ),
        _BEHIND,
    ),
    # Directives of servers: a word that is none of any language, and its value.
    Shape(
        ("pw", "requirepass", "masterauth"),
        re.compile(
            r"(?i)(\b(?:bindpw|rootpw|requirepass|masterauth)[ \t]+)[^\s=:'\"\\][^\s'\"\\]*"
        ),
        _BEHIND,
    ),
    # A field of a form that hides what is typed into it.
    Shape(
        ("<input",),
        re.compile(
            r"(?i)(<input\b(?=[^<>]{0,1000}?\btype\s{0,4}=\s{0,4}\\?[\"']?password)[^<>]{0,1000}?"
            r"\bvalue\s{0,4}=\s{0,4})(?:\\?\"[^\"<>]*\\?\"|\\?'[^'<>]*\\?'|[^\s<>]+)"
        ),
        _BEHIND,
    ),
    # What crypt() and its like make of a password.
    Shape(
        ("$1$", "$2", "$5$", "$6$", "$y$", "$apr1$", "$argon2"),
        re.compile(r"\$(?:1|2[abxy]?|5|6|y|apr1|argon2(?:id?|d))\$[\w./+=,$\-]{8,}"),
    ),
    Shape(
        ("hooks.", "webhook"),
        re.compile(
            r"((?:hooks\.slack\.com/(?:services|workflows)|/api/webhooks/\d{1,30}"
            r"|webhook\.office\.com/webhookb2)/)[\w/@\-]+"
        ),
        _BEHIND,
    ),
    # How HTTP and gRPC libraries complain about a header, with its value.
    Shape(
        ("header value", "header part", "metadata was invalid"),
        re.compile(
            r"(?i)((?:header (?:value|part)|metadata was invalid)[^'\"\[(\n]{0,40})"
            r"(?:\[[^\n]*|\([^\n]*|b?'[^'\n]*'?|b?\"[^\"\n]*\"?)"
        ),
        _BEHIND,
    ),
    # The statements of SQL, and sentences: password 'x', identified by 'x', password is x.
    Shape(
        ("passw", "identified by", "passphrase", "pwd"),
        re.compile(
            r"(?i)(\b(?:password|passwd|passphrase|pwd|identified[ \t]+by(?:[ \t]+password)?)"
            r"[ \t]+)"
            r"(?:'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|\$\w{0,20}\$[^$]*(?:\$\w{0,20}\$|\Z))"
        ),
        _BEHIND,
    ),
    Shape(
        (" is ", " was "),
        re.compile(
            r"(?i)(\b(?:(?:password|passwd|passphrase|pwd)[ \t]+(?:is|was)[ \t]+(?!(?:required"
            r"|incorrect|invalid|wrong|too|not|empty|missing|expired|weak|correct|set|valid|being|now"
            r"|the|an?|no)\b)|(?:token|secret|key)[ \t]+(?:is|was)[ \t]+(?=\S{0,400}?\d)))"
            r"[^\s\"',;\[]{3,}"
        ),
        _BEHIND,
    ),
)


def of_command(words: list[str]) -> list[str]:
    """The words of a command line, without what the command makes a password of."""
    text = "\0".join(words)
    for command in COMMANDS:
        if any(needle in text for needle in command.text.needles):
            text = command.words.sub(_BEHIND, text)
    text = _LITERAL_WORD.sub(_BEHIND, text)
    found = text.split("\0")
    return found if len(found) == len(words) else words


LONG_HEX: Final = re.compile(r"(?:0x)?(?:[0-9a-f]{64,}|[0-9A-F]{64,})")
"""A raw key of 256 bits or more, unless `DIGEST` stands before it."""
DIGEST: Final = re.compile(
    r"(?i)(?:sha-?\d{0,3}|md5|blake\w{0,3}|hash|digest|checksum|sum|commit|revision|fingerprint|root"
    r"|etag|id|vertex|block|tx|transaction|parents?|tips?|address|0x)[\"'\]\\]{0,3}[ \t]?[:=@/ ]"
    r"[ \t]?[\[\"'\\]{0,3}\Z"
)
"""The words before a hexadecimal text that is no key."""
BEFORE: Final = 32
"""How many characters before it are looked at."""
