"""A DSN in three spellings, and what is told of one that cannot be read."""

import re

import pytest
from psycopg.conninfo import conninfo_to_dict

from lorads_core.errors import SettingsError
from lorads_core.store.connect import describe, parse_dsn

SECRET = "s3cr3t"


def read(text):
    return dict(sorted(conninfo_to_dict(parse_dsn(text)).items()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "postgresql://me:s3cr3t@db:6/name",
            {"host": "db", "port": "6", "dbname": "name", "user": "me", "password": SECRET},
        ),
        ("postgres://db/name?sslmode=require", {"host": "db", "dbname": "name", "sslmode": "require"}),
        ("postgresql://me:a%40b%2F@db/x", {"host": "db", "dbname": "x", "user": "me", "password": "a@b/"}),
        ("postgresql:///name?host=/run/postgresql", {"dbname": "name", "host": "/run/postgresql"}),
        ("  host=db user=me  ", {"host": "db", "user": "me"}),
        ("host=db password='a b\\'c'", {"host": "db", "password": "a b'c"}),
        ("host=db password=a;b", {"host": "db", "password": "a;b"}),
        (
            "Host=db;Port=6;Database=name;Username=me;Password=s3cr3t;SSL Mode=VerifyFull;",
            {"host": "db", "port": "6", "dbname": "name", "user": "me", "password": SECRET, "sslmode": "verify-full"},
        ),
        ("host=db;port=6;username=me", {"host": "db", "port": "6", "user": "me"}),
        ("SERVER = db ; uid=me; PWD='a;b''c';DB=x", {"host": "db", "user": "me", "password": "a;b'c", "dbname": "x"}),
        ('Host=db;Password="a;""b"', {"host": "db", "password": 'a;"b'}),
        ("Host=db;Password=a=b==", {"host": "db", "password": "a=b=="}),
        ("Host=db;Password=", {"host": "db", "password": ""}),
        ("Host=db;User Id=me;Pooling=true;Maximum Pool Size=3;Include Error Detail=true", {"host": "db", "user": "me"}),
        ("Host=db;Timeout=7;SslMode=Disable", {"host": "db", "connect_timeout": "7", "sslmode": "disable"}),
        ("Host=a:1,b;Port=2;User ID=me", {"host": "a,b", "port": "1,2", "user": "me"}),
        ("Host=::1;Username=me", {"host": "::1", "user": "me"}),
        ("Host=db;Search Path=my path,x", {"host": "db", "options": "-c search_path=my\\ path,x"}),
        ("Host=db;Target Session Attributes=prefer-standby", {"host": "db", "target_session_attrs": "prefer-standby"}),
        ("Host=/run/postgresql", {"host": "/run/postgresql"}),
        ("Password=x;Host=db", {"host": "db", "password": "x"}),
        ("password=x;host=db", {"host": "db", "password": "x"}),
    ],
)
def test_a_dsn_in_any_spelling(text, expected):
    assert read(text) == dict(sorted(expected.items()))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("hello", "cannot be read"),
        ("host=db prot=5432", "'prot'"),
        ("hots=db port=5432", "'hots'"),
        ("postgresql://me@db/x?foo=1", "'foo'"),
        ("mysql://me:s3cr3t@db/x", "mysql://"),
        ("Host=db;Prot=5432", "'Prot'"),
        ("Host=db;Hello", "not key=value"),
        ("Host=db;Password=s3cr3t;s3cr3t=1", "after the password"),
        ("host=db password=x s3cr3t=y user=me", "cannot be read"),
        ("host=db password=x s3cr3t", "cannot be read"),
        ("host=db password='s3cr3t", "cannot be read"),
        ("postgresql://me:s3@cr3t@db/x", "%40"),
        ("postgresql://me:s3/cr3t@db/x", "%2F"),
        ("postgresql://me:s3?cr3t@db/x", "%3F"),
    ],
)
def test_a_dsn_that_cannot_be_read_is_told_without_its_values(text, named):
    with pytest.raises(SettingsError, match=re.escape(named)) as caught:
        parse_dsn(text)
    assert SECRET not in str(caught.value)
    assert "cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_describe_holds_no_password():
    assert describe(parse_dsn("postgresql://me:s3cr3t@db/name")) == "the store at db:5432/name"
    assert describe("host=/run/x user=me") == "the store at /run/x:5432/me"
