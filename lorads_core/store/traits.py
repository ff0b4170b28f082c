"""Decisions of a person on the inborn traits of a dataset's concepts, by tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CaptionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import psycopg

    from ..model import Decision

_DECISIONS = ("bind", "keep", None)


def decisions(connection: psycopg.Connection, dataset: UUID, concept: str = "") -> dict[str, Decision]:
    """Return what was decided for a concept, by tag; ``concept`` is empty in a dataset of one."""
    rows = connection.execute(
        "SELECT tag, decision FROM lorads.trait_decisions WHERE dataset_id = %s AND concept = %s ORDER BY tag",
        [dataset, concept],
    )
    return dict(rows.fetchall())


def decide(
    connection: psycopg.Connection, dataset: UUID, decided: Mapping[str, Decision | None], concept: str = ""
) -> None:
    """Keep these decisions, by canonical tag; None takes one back.

    Raises:
        CaptionError: a decision is none of the three, or there is no such dataset.
    """
    for tag, decision in decided.items():
        if decision not in _DECISIONS:
            raise CaptionError(f"{decision!r} is no decision on {tag!r}: say bind or keep.")
    kept = {tag: decision for tag, decision in decided.items() if decision}
    with connection.transaction():
        if not connection.execute("SELECT 1 FROM lorads.lora_datasets WHERE dataset_id = %s", [dataset]).fetchone():
            raise CaptionError(f"There is no dataset {dataset}: it was deleted, query it again.")
        connection.execute(
            "DELETE FROM lorads.trait_decisions WHERE dataset_id = %s AND concept = %s AND tag = ANY(%s)",
            [dataset, concept, list(decided)],
        )
        connection.execute(
            "INSERT INTO lorads.trait_decisions (dataset_id, concept, tag, decision)"
            " SELECT %s, %s, * FROM unnest(%s::text[], %s::text[])"
            " ON CONFLICT (dataset_id, concept, tag) DO UPDATE SET decision = EXCLUDED.decision",
            [dataset, concept, list(kept), list(kept.values())],
        )
