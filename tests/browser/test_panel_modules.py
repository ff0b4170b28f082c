"""The panel's pure modules, each called in a browser: the filter language, captions as tags, ranges, the queue."""

import random
from pathlib import Path

import pytest

from .world import WORDS

WEB = Path(__file__).resolve().parents[2] / "web"

ROW = {
    "key": "p:1",
    "set": "training",
    "concept": "",
    "file": "Holiday 0042.png",
    "width": 1024,
    "height": 768,
    "rating": 8,
    "bad": False,
    "reason": "",
    "text": "oldlandmark, long_hair, saber (fate), red hat",
    "source": "combined",
    "edited": True,
    "fixed": True,
    "tokens": 60,
    "rejected": False,
    "problems": [{"code": "too_long", "severity": "warning"}],
}


def made_rows(count):
    """Return so many rows of made-up images."""
    chance = random.Random(7)
    return [
        {
            **ROW,
            "key": f"pictures:{number}",
            "file": f"picture {number:05}.png",
            "rating": chance.choice([None, *range(4, 11)]),
            "text": ", ".join(["oldlandmark", *chance.sample(WORDS, 8)]),
            "tokens": chance.randrange(20, 90),
            "problems": ROW["problems"] if number % 7 == 3 else [],
        }
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def call(browser):
    """Return a function that calls a function of a module of the panel with values."""
    page = browser.new_page()
    page.route("http://panel.test/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.route(
        "http://panel.test/lorads/web/**",
        lambda route: route.fulfill(path=WEB / route.request.url.partition("/lorads/web/")[2]),
    )
    page.goto("http://panel.test/")

    def call_it(module, body, *values):
        script = f"(values) => import('/lorads/web/panel/{module}.js').then((it) => (({body})(it, ...values)))"
        return page.evaluate(script, list(values))

    yield call_it
    page.close()


def passes(call, text, row):
    return call("filter", "(it, text, row) => it.compile(text)(row)", text, row)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tag:red_hat",
        'tag:"long hair"',
        "tag:LONG_HAIR",
        "tag:*hair",
        "tag:saber_(fate)",
        "-tag:smile",
        "NOT tag:smile",
        "landmark hat",
        "0042",
        '"saber (fate)"',
        "caption:red",
        "source:comb",
        "edited:yes",
        "-edited:no",
        "tokens:>=60 tokens:<=60 tokens:60",
        "tokens:50..60",
        "rating:>=4",
        "problem:",
        "problem:too_long",
        "problem:warning",
        "set:training",
        "set:t",
        "width:>1000 height:<1000",
        "rejected:no",
        "file:holiday",
        "tag:smile OR tag:oldlandmark",
        "(tag:smile OR rating:8) AND source:combined",
        "tag:smile OR tag:smile OR (rating:8 -(edited:no))",
    ],
)
def test_a_filter_lets_the_row_through(call, text):
    assert passes(call, text, ROW)


@pytest.mark.parametrize(
    "text",
    [
        "tag:hair",
        "tag:red",
        "-tag:*hair",
        "smile",
        "tokens:>60",
        "rating:none",
        "problem:error",
        "set:regularization",
        "edited:no",
        "tag:oldlandmark tag:smile",
        "-(tag:smile OR tag:oldlandmark)",
        "tag:smile AND tag:oldlandmark OR tag:smile",
    ],
)
def test_a_filter_keeps_the_row_out(call, text):
    assert not passes(call, text, ROW)


def test_an_image_without_rating_passes_no_number(call):
    bare = {**ROW, "rating": None, "text": None, "problems": []}
    assert not passes(call, "rating:>=0", bare)
    assert passes(call, "rating:none -problem: -tag:hat", bare)


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("tag:hat (smile", 8, "not closed"),
        ("tag:hat )", 8, "no opening"),
        ("colour:red", 0, "There is no “colour:”"),
        ("tokens:many", 0, "tokens:>5"),
        ('tag:"long hair', 4, "not closed"),
        ("edited:maybe", 0, "yes or no"),
        ("set:test", 0, "training or regularization"),
        ("tag:hat OR", 10, "missing at the end"),
        ("AND tag:hat", 0, "before “AND”"),
        ("tag:", 0, "needs a value"),
    ],
)
def test_a_filter_that_cannot_be_understood_says_where_and_why(call, text, at, says):
    caught = "return [e.at, e.message, e instanceof it.FilterError]"
    script = f"(it, text) => {{ try {{ it.compile(text); return null; }} catch (e) {{ {caught}; }} }}"
    found = call("filter", script, text)
    assert found is not None
    assert (found[0], found[2]) == (at, True)
    assert says in found[1]


@pytest.mark.parametrize("tag", ["long hair", "saber (fate)", "hat", ":d", "a*b", "^_^", "12:30"])
def test_a_tag_s_own_filter_finds_it(call, tag):
    script = "(it, tag, row) => [it.compile(it.tagFilter(tag))(row), it.compile(it.tagFilter(tag, true))(row)]"
    assert call("filter", script, tag, {**ROW, "text": f"x, {tag}"}) == [True, False]


def test_a_filter_s_terms_are_combined_row_by_row(call):
    script = """(it, rows, text) => {
      rows.forEach(it.factsOf);
      const passes = it.compile(text);
      return rows.filter(passes).map((row) => row.key);
    }"""
    rows = made_rows(1_000)
    text = 'tag:"long hair" -tag:hat (tokens:>50 OR caption:rain) rating:>=4'
    found = call("filter", script, rows, text)
    assert 0 < len(found) < len(rows)
    assert found == [
        row["key"]
        for row in rows
        if "long hair" in row["text"].split(", ")
        and "hat" not in row["text"].split(", ")
        and (row["tokens"] > 50 or "rain" in row["text"])
        and (row["rating"] or 0) >= 4
    ]


def test_captions_are_cut_into_tags(call):
    script = "(it, text) => [it.tagsOf(text), it.isProse(text)]"
    assert call("captions", script, "a ||| b c,d ,, e\nf") == [["a", "b c", "d", "e", "f"], False]
    assert call("captions", script, "") == [[], False]
    assert call("captions", script, "A cat sits on the mat. It sleeps.")[1]
    assert call("captions", script, "a person who walks along the long river in the evening")[1]
    assert not call("captions", script, "1girl, st. louis (azur lane), solo")[1]


@pytest.mark.parametrize(
    ("text", "at", "left"),
    [
        ("a, b, c", 0, "b, c"),
        ("a, b, c", 1, "a, c"),
        ("a, b, c", 2, "a, b"),
        ("a, b ||| c, d", 1, "a ||| c, d"),
        ("a, b ||| c, d", 2, "a, b ||| d"),
        ("a ||| b", 0, "b"),
        ("a ||| b", 1, "a"),
        ("a", 0, ""),
        ("a,, b", 1, "a"),
        ("a, b", 7, "a, b"),
    ],
)
def test_a_tag_is_taken_out_and_the_head_s_separator_stays(call, text, at, left):
    found = call("captions", "(it, text, at) => it.withoutTag(text, at)", text, at)
    assert [part.strip() for part in found.replace("|||", ",|||,").split(",") if part.strip()] == [
        part.strip() for part in left.replace("|||", ",|||,").split(",") if part.strip()
    ]


def test_the_part_under_the_caret_is_what_is_completed(call):
    script = "(it, text, caret) => it.partAt(text, caret)"
    assert call("captions", script, "a, lon, c", 6) == {"begin": 3, "end": 6, "text": "lon"}
    assert call("captions", script, "head ||| ta", 11) == {"begin": 9, "end": 11, "text": "ta"}
    assert call("captions", script, "", 0) == {"begin": 0, "end": 0, "text": ""}


def test_a_difference_shows_only_what_changed(call):
    assert call("captions", "(it, a, b) => it.difference(a, b)", "a, hat, b", "a, cap, b") == {
        "head": "a, ",
        "removed": "hat",
        "added": "cap",
        "tail": ", b",
    }


def test_only_what_is_in_view_is_drawn(call):
    script = "(it, ...values) => it.range(...values)"
    assert call("virtual", script, 0, 500, 100, 10_000) == {"first": 0, "last": 8}
    assert call("virtual", script, 100_000, 500, 100, 10_000) == {"first": 997, "last": 1008}
    assert call("virtual", script, 5_000, 500, 100, 20) == {"first": 17, "last": 20}, "the list became shorter"


OUTBOX = """async (it, answers, edits) => {
  const { Refused, Away } = await import("/lorads/web/panel/api.js");
  const told = [];
  const kept = new Map();
  const storage = { get length() { return kept.size; }, key: (n) => [...kept.keys()][n], getItem: (k) => kept.get(k),
    setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) };
  const post = async (path, body) => {
    const answer = answers.shift() ?? "ok";
    told.push(["post", body.changes.map(({ key, after }) => `${key}=${after}`).join()]);
    if (answer === "away") throw new Away();
    if (Array.isArray(answer)) throw new Refused(409, { conflicts: answer });
    if (answer === "forbidden") throw new Refused(403, { error: { message: "not now" } });
    if (answer === "bad") throw new Refused(400, { error: { message: "no" } });
    return { revision: 1, rows: [] };
  };
  const box = new it.Outbox("d", { post, storage, changed() {}, written() {},
    away(isAway) { told.push(["away", isAway]); },
    refused(entry, error) { told.push(["refused", error.message]); },
    conflict(entry, found) { told.push(["conflict", found.map(({ key }) => key).join()]); } });
  for (const changes of edits) box.add("Edit", changes);
  await box.empty();
  return { told, left: kept.size };
}"""


def change(key, before, after):
    return {"key": key, "before": before, "after": after}


def test_edits_are_sent_one_after_the_other_and_then_forgotten(call):
    edits = [[change("a", "1", "2")], [change("a", "2", "3")], [change("b", "x", "y")]]
    found = call("outbox", OUTBOX, [], edits)
    assert [each[1] for each in found["told"] if each[0] == "post"] == ["a=2", "a=3", "b=y"]
    assert found["left"] == 0


def test_an_edit_that_did_not_arrive_is_sent_again_before_the_next(call):
    found = call("outbox", OUTBOX, ["away", "ok"], [[change("a", "1", "2")], [change("b", "x", "y")]])
    assert [each[1] for each in found["told"] if each[0] == "post"] == ["a=2", "a=2", "b=y"]
    assert ["away", True] in found["told"]
    assert found["left"] == 0


def test_an_edit_that_arrived_twice_is_no_conflict(call):
    theirs = [{"key": "a", "theirs": "2"}]
    found = call("outbox", OUTBOX, [theirs], [[change("a", "1", "2")]])
    assert ["conflict", ""] in found["told"]
    assert found["left"] == 0


def test_what_does_not_conflict_is_written_all_the_same(call):
    theirs = [{"key": "a", "theirs": "other"}]
    found = call("outbox", OUTBOX, [theirs, "ok"], [[change("a", "1", "2"), change("b", "x", "y")]])
    assert [each[1] for each in found["told"] if each[0] == "post"] == ["a=2,b=y", "b=y"]
    assert ["conflict", "a"] in found["told"]


def test_a_refused_edit_is_told_and_does_not_block_the_next(call):
    found = call("outbox", OUTBOX, ["bad", "ok"], [[change("a", "1", "\0")], [change("b", "x", "y")]])
    assert ["refused", "no"] in found["told"]
    assert [each[1] for each in found["told"] if each[0] == "post"][-1] == "b=y"
    assert found["left"] == 0


def test_an_edit_that_is_not_allowed_at_present_is_kept_and_sent_again(call):
    found = call("outbox", OUTBOX, ["forbidden", "ok"], [[change("a", "1", "2")]])
    assert ["refused", "not now"] in found["told"]
    assert [each[1] for each in found["told"] if each[0] == "post"] == ["a=2", "a=2"]
    assert found["left"] == 0


def test_a_token_that_was_renewed_while_a_request_was_on_its_way_is_used(call):
    script = """async (it) => {
      const asked = [];
      let token = "old";
      const api = new it.Api("/api");
      const real = globalThis.fetch;
      globalThis.fetch = async (url, { headers }) => {
        asked.push(`${url} ${headers?.["X-LoRADS-Token"] ?? ""}`.trim());
        if (url === "/api/session") return new Response(JSON.stringify({ token }));
        if (headers["X-LoRADS-Token"] === "new") return new Response("{}");
        token = "new";
        await api.open(); // as one that knocks does, before this is refused
        return new Response("{}", { status: 403 });
      };
      await api.post("edits", {});
      globalThis.fetch = real;
      return asked;
    }"""
    asked = call("api", script)
    assert asked == ["/api/session", "/api/edits old", "/api/session", "/api/edits new"]


def test_rows_that_change_while_they_are_fetched_are_fetched_again(call):
    script = """async (it, rows) => {
      const all = new it.Rows();
      let revision = 1;
      const asked = [];
      await all.load(async (from, count) => {
        asked.push(from);
        if (asked.length === 2) revision = 2;
        return { total: rows.length, revision, rows: rows.slice(from, from + count) };
      }, () => true);
      return [asked, all.list.length, new Set(all.list.map(({ key }) => key)).size, all.revision];
    }"""
    asked, length, distinct, revision = call("rows", script, made_rows(500))
    assert asked == [0, 200, 0, 200]
    assert (length, distinct, revision) == (500, 500, 2)
