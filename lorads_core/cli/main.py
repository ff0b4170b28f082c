"""Entry point of the `lorads` command, light enough that a Ctrl-C while LoRADS loads ends it in order too."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest of this module
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors that a user can fix are one line, all others a traceback.

    Without ``arguments`` they are those of this process, which is then ours to end.
    """
    try:
        from . import ending  # noqa: PLC0415 - see above

        with ending.in_order(own_process=arguments is None):
            from .run import run  # noqa: PLC0415 - see above

            return run(arguments)
    except KeyboardInterrupt:
        from . import ending  # noqa: PLC0415 - the first import may be what was interrupted

        sys.stderr.write(f"error: {ending.MESSAGE}\n")
        ending.message_shown()
        return ending.INTERRUPTED
