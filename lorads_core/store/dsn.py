"""A server's address as users write it (libpq's two ways, or Npgsql's), read into libpq's keyword string; pure."""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import SettingsError

# What Npgsql calls libpq's settings, in small letters and without spaces (NpgsqlConnectionStringBuilder, Npgsql 9).
_NPGSQL = {
    "host": "host",
    "server": "host",
    "port": "port",
    "database": "dbname",
    "db": "dbname",
    "username": "user",
    "userid": "user",
    "uid": "user",
    "password": "password",
    "psw": "password",
    "pwd": "password",
    "passfile": "passfile",
    "applicationname": "application_name",
    "timeout": "connect_timeout",
    "searchpath": "search path",
    "options": "options",
    "sslmode": "sslmode",
    "sslnegotiation": "sslnegotiation",
    "sslcertificate": "sslcert",
    "sslkey": "sslkey",
    "sslpassword": "sslpassword",
    "rootcertificate": "sslrootcert",
    "channelbinding": "channel_binding",
    "requireauth": "require_auth",
    "kerberosservicename": "krbsrvname",
    "gssencryptionmode": "gssencmode",
    "targetsessionattributes": "target_session_attrs",
}
# Npgsql's own affairs: known, without meaning here.
_NPGSQL_ONLY = """
    arraynullabilitymode autoprepareminusages cancellationtimeout checkcertificaterevocation clientencoding
    commandtimeout connectionidlelifetime connectionlifetime connectionpruninginterval convertinfinitydatetime encoding
    enlist hostrecheckseconds includeerrordetail includefailedbatchedcommand includerealm internalcommandtimeout
    keepalive loadbalancehosts loadbalancetimeout loadtablecomposites logparameters maxautoprepare maximumpoolsize
    maxpoolsize minimumpoolsize minpoolsize multiplexing noresetonclose persistsecurityinfo pooling readbuffersize
    replicationmode servercompatibilitymode socketreceivebuffersize socketsendbuffersize tcpkeepalive
    tcpkeepaliveinterval tcpkeepalivetime timezone trustservercertificate usesslstream writebuffersize
    writecoalescingbufferthresholdbytes
"""
_WORDS = {
    "verifyca": "verify-ca",
    "verifyfull": "verify-full",
    "preferprimary": "any",  # libpq knows no such wish
    "preferstandby": "prefer-standby",
    "readwrite": "read-write",
    "readonly": "read-only",
}
_TAKES_WORD = frozenset({"sslmode", "sslnegotiation", "channel_binding", "gssencmode", "target_session_attrs"})
_SECRET = frozenset({"password", "sslpassword"})
# A key, then a value in double quotes, in single quotes (a quote within is doubled), or up to the next semicolon.
_PAIR = re.compile(r"""\s*([^=;]*?)\s*=\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^;]*?))\s*(?:;|$)""")
_ADVICE = (
    "It must look like postgresql://user:password@host:5432/database, like host=… dbname=… user=… password=…, or like"
    " Host=…;Database=…;Username=…;Password=…. A password with spaces, semicolons or quotes is itself quoted;"
    " in a URL, any odd character is written as %40 and the like."
)


def parse_dsn(text: str) -> str:
    """Return libpq's keyword string for a libpq URL, a libpq keyword string or an Npgsql connection string.

    Raises:
        SettingsError: it is none of them, or has an unknown key; the message names the key and no value.
    """
    text = text.strip()
    if not text:
        raise SettingsError(f"The dsn is empty. {_ADVICE}")
    if "://" in text.split("=", 1)[0]:
        _check_url(text)
        return _read_libpq(text)
    return make_conninfo("", **_read_npgsql(text)) if _is_npgsql(text) else _read_libpq(text)


def describe(conninfo: str) -> str:
    """Return how to speak of a server: its host, port and database, without user and password."""
    values = conninfo_to_dict(conninfo)
    host = values.get("host") or values.get("hostaddr") or "localhost"
    return f"the store at {host}:{values.get('port') or 5432}/{values.get('dbname') or values.get('user') or ''}"


def _check_url(text: str) -> None:
    """Refuse what libpq would read otherwise than it is meant, with a piece of the password as the host."""
    scheme, _, rest = text.partition("://")
    if scheme not in ("postgresql", "postgres"):
        raise SettingsError(f"The dsn begins with {scheme}://, it must begin with postgresql://. {_ADVICE}")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if authority.count("@") > 1 or ("@" in rest and "@" not in authority):
        raise SettingsError("The dsn has an @, / or ? in its user or password: write %40, %2F and %3F for them.")


def _read_libpq(text: str) -> str:
    try:
        return make_conninfo("", **conninfo_to_dict(text))
    except psycopg.ProgrammingError as error:
        found = re.search(r'(?:option|parameter): "([^"]+)"|option "([^"]+)"', str(error))
    # Only the name of a key is passed on, and not even that where it may be the second word of a password.
    key = found and (found[1] or found[2])
    if key and not re.search(rf"(?i)password\s*=\s*\S+\s+{re.escape(key)}\s*=", text):
        raise SettingsError(f"The dsn has the unknown key {key!r}: look at its spelling.")
    raise SettingsError(f"The dsn cannot be read. {_ADVICE}")


def _is_npgsql(text: str) -> bool:
    """Whether it is pairs with semicolons between them; a libpq string has those in its password at most."""
    try:
        values = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        first = text.partition("=")[0].strip()
        return "=" in text and (";" in text or first != first.lower())
    return any(";" in str(value) for key, value in values.items() if key not in _SECRET or len(values) == 1)


def _read_npgsql(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    before = ""
    for key, value in _pairs(text):
        plain = re.sub(r"\s", "", key).lower()
        name = _NPGSQL.get(plain, "")
        if name:
            values[name] = _WORDS.get(_letters(value), value.lower()) if name in _TAKES_WORD else value
        elif plain not in _NPGSQL_ONLY.split():
            shown = "an unknown key after the password" if before in _SECRET else f"the unknown key {key!r}"
            raise SettingsError(
                f"The dsn has {shown}: look at its spelling, and put quotes round a value with semicolons."
            )
        before = name
    return _with_options(_with_ports(values))


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip("; \t\r\n"):
        pair = _PAIR.match(text, at)
        if not pair:
            raise SettingsError(f"The dsn cannot be read: something in it is not key=value. {_ADVICE}")
        double, single, bare = pair.group(2, 3, 4)
        value = bare if bare is not None else double.replace('""', '"') if single is None else single.replace("''", "'")
        pairs.append((pair[1], value))
        at = pair.end()
    return pairs


def _letters(value: str) -> str:
    return re.sub(r"[^a-z]", "", value.lower())


def _with_ports(values: dict[str, str]) -> dict[str, str]:
    """Npgsql writes several hosts as a:5432,b:5433; libpq wants hosts and ports apart."""
    hosts = [host.strip().rpartition(":") for host in values.get("host", "").split(",")]
    if not any(colon and port.isdecimal() and ":" not in host for host, colon, port in hosts):
        return values
    names = [host if colon else port for host, colon, port in hosts]
    ports = [port if colon else values.get("port", "5432") for _, colon, port in hosts]
    return {**values, "host": ",".join(names), "port": ",".join(ports)}


def _with_options(values: dict[str, str]) -> dict[str, str]:
    """Npgsql's Search Path is a setting of the session to libpq."""
    path = values.pop("search path", "")
    if path:
        escaped = re.sub(r"([\\\s])", r"\\\1", path)
        values["options"] = f"{values.get('options', '')} -c search_path={escaped}".strip()
    return values
