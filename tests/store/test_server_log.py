"""The fault in what PostgreSQL says: with the lines that explain it, as its own programs print them."""

import pytest

from lorads_core.store.server_log import last_fault

WINDOWS = """\
2026-11-20 10:00:00.000 UTC [32] LOG:  invalid value for parameter "dynamic_shared_memory_type": "mmap"
2026-11-20 10:00:00.000 UTC [32] HINT:  Available values: windows.
2026-11-20 10:00:00.000 UTC [32] FATAL:  configuration file "C:/lorads/data/lorads.conf" contains errors
"""


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (WINDOWS, 'invalid value for parameter "dynamic_shared_memory_type": "mmap" (Available values: windows)'),
        (
            (
                'LOG:  unrecognized configuration parameter "no_such" in file "x" line 3\n'
                'LOG:  invalid value for parameter "jit": "maybe"\nFATAL:  configuration file "x" contains errors\n'
            ),
            (
                'unrecognized configuration parameter "no_such" in file "x" line 3; invalid value for parameter "jit":'
                ' "maybe"'
            ),
        ),
        ('FATAL:  configuration file "x" contains errors\n', 'configuration file "x" contains errors'),
        (
            (
                "FATAL:  could not map anonymous shared memory: Cannot allocate memory\n"
                "HINT:  This error usually means that PostgreSQL's request exceeded available memory.\n"
                "LOG:  database system is shut down\n"
            ),
            (
                "could not map anonymous shared memory: Cannot allocate memory (This error usually means that"
                " PostgreSQL's request exceeded available memory)"
            ),
        ),
        (
            'PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device\nLOG:  startup process\n',
            'could not write to file "pg_wal/xlogtemp.7": No space left on device',
        ),
        (
            (
                'initdb: error: directory "/x" exists but is not empty\ninitdb: hint: If you want to create a new one,'
                " remove it.\n"
            ),
            'directory "/x" exists but is not empty (If you want to create a new one, remove it)',
        ),
        ("LOG:  a\nLOG:  last words.\n", "last words"),
        ("something else\n\n", "something else"),
        ("", ""),
    ],
)
def test_the_fault_is_quoted_with_what_explains_it(output, said):
    assert last_fault(output) == said
