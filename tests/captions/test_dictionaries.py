"""Users' vocabularies: files as people have them are understood, and what is none of them is refused by its line."""

import gzip
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.dictionaries import read_vocabulary
from lorads_core.captions.merge import MergeRules, merge
from lorads_core.captions.tag_files import canonical_name, read_aliases, read_dictionary, read_implications, read_tags
from lorads_core.captions.vocabulary import BLACKLIST
from lorads_core.errors import SettingsError
from lorads_core.model import Tag
from lorads_core.settings import load_settings
from lorads_core.tags import canonical

# As a1111-sd-webui-tagcomplete has them (tags/danbooru.csv and tags/e621.csv of 2026-07).
DANBOORU = """\
1girl,0,6008644,"1girls,sole_female"
highres,5,5256195,"high_res,high_resolution,hires"
long_hair,0,4350743,"/lh,longhair"
hatsune_miku,4,129806,"hatsunemiku,miku_hatsune"
vocaloid,3,180000,
carbon_(artist),1,25,
^_^,0,130000,"^^,^_^_(kaomoji)"
muscular_male,0,80000,
muscular,0,90000,"muscular_male,muscle"
"""
E621 = """\
mammal,5,3437444,"mammals,mammale"
hi_res,7,3116617,"high_res,highres"
female,0,2580939,"woman,1girl,2girls"
url,7,120000,"web_address,website"
,0,1983,
carbiid3_(modeler),2,127,
cub_(lore),8,12,
"""
EXPORT = """\
id,antecedent_name,consequent_name,created_at,status
4,katana,sword,2007-02-11 00:00:00,active
5,sword,weapon,,active
6,gun,weapon,,deleted
7,pen,weapon,,pending
"""


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def vocabulary(file, tmp_path):
    def read(settings, **files):
        for name, content in files.items():
            file(name.replace("_", ".", 1), content)
        (tmp_path / "lorads.toml").write_text(f"[vocabularies.mine]\n{settings}", encoding="utf-8")
        return read_vocabulary(load_settings(tmp_path / "lorads.toml").vocabulary("mine"))

    return read


def refusal(read, *arguments, **named):
    with pytest.raises(SettingsError) as caught:
        read(*arguments, **named)
    return str(caught.value)


# Formats


def test_a_dictionary_maps_aliases_to_tags_in_their_canonical_spelling(file):
    path = file("d.json", '{"Bunny_Ears": "Rabbit_Ears", "long_hair": "long hair", "^ ^": "smile"}')
    assert read_dictionary(path) == {"bunny ears": "rabbit ears", "^_^": "smile"}


def test_chains_lead_to_their_end(file):
    assert read_dictionary(file("d.json", '{"a": "b", "c": "d", "b": "c"}')) == {"a": "d", "b": "d", "c": "d"}


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_dictionary, '{"Long_Hair": "long hair", "long hair": "mane"}'),
        (read_dictionary, '{"long hair": "mane", "Long_Hair": "long hair"}'),
        (read_aliases, "Long_Hair,long hair\nlong_hair,mane\n"),
    ],
)
def test_a_tag_that_means_itself_says_nothing_against_an_alias(file, read, content):
    assert read(file("aliases", content)) == {"long hair": "mane"}


def test_a_list_of_danboorus_tags_gives_aliases_and_categories(file):
    aliases, categories = read_tags(file("danbooru.csv", DANBOORU))
    assert aliases["longhair"] == "long hair"
    assert aliases["miku hatsune"] == "hatsune miku"
    assert aliases["muscle"] == "muscular"
    assert "muscular male" not in aliases  # a tag of its own in the same list
    assert categories == {
        "highres": "quality",
        "hatsune miku": "character",
        "vocaloid": "series",
        "carbon (artist)": "artist",
    }


def test_a_list_of_e621_is_known_by_its_categories(file):
    aliases, categories = read_tags(file("e621.csv", E621))
    assert categories == {"hi res": "quality", "url": "quality", "carbiid3 (modeler)": "artist"}  # species are general
    assert aliases["mammals"] == "mammal"


def test_a_list_of_both_boorus_has_categories_of_its_own(file):
    _, categories = read_tags(file("merged.csv", "highres,5,1,\nwolf,12,1,\nhi_res,14,1,\nkrystal,11,1,\n"))
    assert categories == {"highres": "quality", "hi res": "quality", "krystal": "character"}


def test_lists_with_a_header_are_read_by_it(file):
    wd = "tag_id,name,category,count\n9999999,general,9,807858\n470575,1girl,0,4225150\n,miku,4,3\n"
    assert read_tags(file("selected_tags.csv", wd)).categories == {"general": "rating", "miku": "character"}
    export = "id,name,category,post_count\n1,tiger,5,100\n2,conditional_dnp,7,3\n"
    assert read_tags(file("tags.csv", export)).categories == {"conditional dnp": "quality"}


def test_columns_that_may_be_missing_may_be_missing(file):
    assert read_tags(file("short.csv", "1girl,0\nmiku,4,12\nteto,4,5,kasane\n")) == (
        {"kasane": "teto"},
        {"miku": "character", "teto": "character"},
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_of_an_export_only_what_is_active_counts(file, pack):
    found = read_implications(file("tag_implications.csv.gz", pack(EXPORT.encode())))
    assert found == {"katana": {"sword"}, "sword": {"weapon"}}
    assert read_aliases(file("tag_aliases.csv", pack(EXPORT.encode()))) == {"katana": "weapon", "sword": "weapon"}


def test_the_columns_of_an_export_are_found_by_their_names(file):
    text = 'status,consequent_name,antecedent_name,reason\nactive,cat,kitty,"two\nlines"\nretired,dog,puppy,\n'
    assert read_aliases(file("aliases.csv", text)) == {"kitty": "cat"}


def test_two_columns_need_no_header(file):
    assert read_implications(file("i.csv", "cat_girl,animal_ears\r\n\r\ncat_girl,cat_ears\r\n")) == {
        "cat girl": {"animal ears", "cat ears"}
    }


def record(said, meant, **more):
    return {"id": 1, "antecedent_name": said, "consequent_name": meant, **more}


@pytest.mark.parametrize("write", [json.dumps, lambda rows: "\n".join(map(json.dumps, rows)) + "\n"])
def test_answers_of_danboorus_api_are_lists_or_lines(file, write):
    rows = [record("kitty", "cat", status="active"), record("puppy", "dog", status="retired"), record("neko", "cat")]
    assert read_aliases(file("aliases.json", write(rows))) == {"kitty": "cat", "neko": "cat"}
    assert read_implications(file("i.json", write(rows[:1]))) == {"kitty": {"cat"}}


def test_aliases_may_be_a_dictionary(file):
    assert read_aliases(file("aliases.json", '{"kitty": "cat"}')) == {"kitty": "cat"}


AUTOCOMPLETE = 'tag,category,count,alias\n1girl,0,100,"1girls,sole_female"\nsaber_(fate),4,50,"artoria"\n'


@pytest.mark.parametrize(
    "content",
    [
        AUTOCOMPLETE,
        AUTOCOMPLETE.replace("tag,category,count,alias", "tag,category,post_count,aliases"),
        "category,tag,alias\n0,1girl,1girls\n4,saber_(fate),artoria\n",
    ],
)
def test_a_list_of_autocomplete_plus_gives_aliases_and_categories(file, content):
    found = read_tags(file("danbooru_tags.csv", content))
    assert found.categories == {"saber (fate)": "character"}
    assert {said: found.aliases[said] for said in ("1girls", "artoria")} == {
        "1girls": "1girl",
        "artoria": "saber (fate)",
    }


@pytest.mark.parametrize("row", ['"rats,0,5,', '",0,9,quote', 'a "b" c,0,3,"x" y'])
def test_a_row_with_a_bare_quote_costs_only_itself(file, row):
    found = read_tags(file("tags.csv", f'{DANBOORU}{row}\nsaber_(fate),4,50,"artoria"\n'))
    assert found.categories["saber (fate)"] == found.categories["hatsune miku"] == "character"
    assert (found.aliases["artoria"], found.aliases["hires"]) == ("saber (fate)", "highres")


def test_a_list_full_of_bare_quotes_is_refused(file):
    with pytest.raises(SettingsError, match="not valid CSV"):
        read_tags(file("tags.csv", '"a,0,1,\n"b,0,1,\n"c,0,1,\n'))


def test_a_byte_order_mark_is_no_part_of_a_tag(file):
    assert read_aliases(file("aliases.csv", "\ufeffkitty,cat\n")) == {"kitty": "cat"}
    assert read_dictionary(file("d.json", '\ufeff{"kitty": "cat"}')) == {"kitty": "cat"}


@given(st.one_of(st.from_regex(r"[a-z0-9_().:'!-]{1,12}", fullmatch=True), st.text(max_size=12)))
def test_the_quick_spelling_is_the_canonical_one(name):
    assert canonical_name(name) == canonical(name)


@pytest.mark.parametrize("name", ["score_9", "source_anime", "rating_safe", "o_o", "u u", "long__hair", "hair_", "Æ_b"])
def test_names_that_need_a_closer_look_get_it(name):
    assert canonical_name(name) == canonical(name)


# What is refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": "b",\n "c" "d"}', r"line 2: it is not valid JSON at column 6"),
        ('{"a": "b"} {', r"line 1: it is not valid JSON at column 12"),
        ('{"a": "b",\n "c": 3}', r"line 2: 'c' must be a text in quotes"),
        ('{"a": "b",\n "c": {"a": "b"}}', r"line 2: 'c' must be a text"),
        ('{"a": "b",\n\n "c": ""}', r"line 3: 'c' means nothing; to drop a tag, name it in also_blacklist"),
        ('{"a": "b",\n "A": "c"}', r"line 2: 'a' means 'c' here, and 'b' in line 1"),
        ('{"a": "b",\n "a": "c"}', r"line 2: 'a' means 'c' here, and 'b' in line 1"),
        ('{"é": "b",\n ",": "c"}', r"line 2: ',' or 'c' is no tag"),
        ('{"x": "a",\n "a" : 3}', r"line 2: 'a' must be a text in quotes"),  # not where it is a value
        ('["a"]', r"line 1: it must be a JSON object"),
        ("", r"line 1: it must be a JSON object"),
        ("kitty,cat", r"line 1: it must be a JSON object"),
        (
            '{"a": "b",\n "b": "c",\n "c": "a"}',
            "a \u2192 b \u2192 c \u2192 a: these aliases go in a circle; take one of them out",
        ),
        ('{"a": "b"}\n'.encode("utf-16"), r"line 1: it is not UTF-8"),
        (b'{"a": "b",\n"\xe4": "c"}', r"line 2: it is not UTF-8"),
        ("[" * 100_000, r"must be a JSON object"),
        ('{"a":' * 100_000, r"not"),
    ],
)
def test_a_malformed_dictionary_is_refused_by_its_line(file, content, said):
    message = refusal(read_dictionary, file("dedup.json", content))
    assert "dedup.json" in message
    assert said in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("kitty,cat\npuppy\n", "line 2: it has 1 columns where the first line has two"),
        ("kitty,cat\npuppy,dog,1\n", "line 2: it has 3 columns where the first line has two"),
        ("kitty\n", "line 1: it has 1 columns; known are two"),
        ("", "line 1: it has 0 columns; known are two"),
        ("1girl,0,600,longhair\n", "line 1: a number stands beside '1girl': this is a list of tags"),
        ("1girl,6008644\n", "this is a list of tags; name it as tags"),
        (f"{EXPORT}8,katana\n", "line 6: it has 2 columns where at least 5 are needed"),
        (f"{EXPORT}8,,sword,,active\n", "line 6: '' or 'sword' is no tag"),
        (f'{EXPORT}\n8,"katana,sword,,active\n9,a,b,,active\n', "line 7: it is not valid CSV"),
        ('[{"antecedent_name": "a"}]', "entry 1: it must be an object with the texts antecedent_name and"),
        ("[1]", "entry 1: it must be an object"),
        ('{"antecedent_name": "a", "consequent_name": "b"}\n{"id": }\n', "line 2: it is not valid JSON at column 8"),
        ('{"antecedent_name": "a", "consequent_name": 3}\n', "line 1: it must be an object"),
        ("kitty,cat\nkitty,tiger\n", "line 2: 'kitty' means 'tiger' here, and 'cat' in line 1; keep one of them"),
        ("x,y\na,b\nb,a\n", "line 2: a \u2192 b \u2192 a: these aliases go in a circle"),
        (gzip.compress(b"kitty,cat\n", mtime=0)[:-9], "cannot be read"),
        (b"\x1f\x8bnothing", "cannot be read"),
        (b"PK\x03\x04\xff\xff", "line 1: it is not UTF-8"),
    ],
)
def test_a_malformed_file_of_aliases_is_refused_by_its_line(file, content, said):
    message = refusal(read_aliases, file("tag_aliases.csv", content))
    assert "tag_aliases.csv" in message
    assert said in message


def test_in_a_json_list_the_entry_is_named_however_many_lines_it_has(file):
    def listed(*pairs):
        return file("list.json", json.dumps([record(*pair) for pair in pairs], indent=1))

    message = refusal(read_aliases, listed(("a", "b"), ("c", "d"), ("a", "e")))
    assert "entry 3: 'a' means 'e' here, and 'b' in entry 1" in message
    assert "entry 2: a \u2192 b \u2192 a" in refusal(read_aliases, listed(("x", "y"), ("a", "b"), ("b", "a")))
    message = refusal(read_implications, listed(("x", "y"), ("a", "b"), ("b", "a")))
    assert "they imply each other" in message
    assert ", entry " in message


def test_tags_that_imply_each_other_are_refused(file):
    message = refusal(read_implications, file("i.csv", "x,y\nkatana,sword\nsword,weapon\nweapon,katana\n"))
    assert "they imply each other; take one of these out" in message
    for step in ("katana \u2192 sword", "sword \u2192 weapon", "weapon \u2192 katana"):
        assert step in message
    assert "i.csv, line" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1girl,zero,1,\n", "line 1: 'zero' is no category; a list of tags has name, category as a number"),
        ("1girl,0,1,\nsolo,42,1,\n", "line 2: there is no category 42"),
        ("1girl\n", "line 1: it has 1 columns where at least 2 are needed"),
        ("", "line 1: it has 0 columns"),
        (EXPORT, "line 1: 'antecedent_name' is no category"),
        ('{"a": "b"}', "line 1: it is JSON; a list of tags is CSV"),
    ],
)
def test_a_malformed_list_of_tags_is_refused_by_its_line(file, content, said):
    assert said in refusal(read_tags, file("danbooru.csv", content))


def test_a_profile_names_files_that_are_there_by_keys_that_are_known(vocabulary, tmp_path):
    assert "no.json" in refusal(vocabulary, 'dictionary = "no.json"')
    assert "vocabularies.mine.dictionary" in refusal(vocabulary, 'dictionary = "no.json"')
    assert "did you mean dictionary?" in refusal(vocabulary, 'dictionnary = "d.json"')
    assert "cannot be read" in refusal(vocabulary, 'tags = "."')
    assert "must be text" in refusal(vocabulary, "tags = 3")
    assert "entry '*', which is no tag" in refusal(vocabulary, 'also_blacklist = ["*"]')
    settings = load_settings(tmp_path / "lorads.toml")
    assert "known are: mine. Add [vocabularies.none]" in refusal(settings.vocabulary, "none")


# What overrides what


def test_a_dictionary_overrides_all_else(vocabulary):
    found = vocabulary(
        'dictionary = "d.json"\naliases = "a.csv"\ntags = "t.csv"',
        d_json='{"rabbit ears": "bunny ears", "kitty": "feline", "1girl": "woman"}',
        a_csv="kitty,cat\npuss,cat\nlonghair,mane\n",
        t_csv=DANBOORU,
    )
    assert found.words["bunny_ears"].text == "bunny ears"  # though ours calls them rabbit ears
    assert found.words["rabbit_ears"].text == "bunny ears"
    assert [found.words[tag].text for tag in ("kitty", "puss", "longhair", "muscle")] == [
        "feline",
        "cat",
        "mane",
        "muscular",
    ]
    assert found.words["1girl"].text == "woman"
    assert found.words["gray hair"].text == "grey hair"  # ours stand where nothing else does


def test_a_booru_cannot_take_counts_away(vocabulary):
    found = vocabulary('tags = "e621.csv"', e621_csv=E621)
    assert found.words["1girl"].text == "1girl"
    assert found.words["woman"].text == "female"
    assert found.words["web_address"] is None  # e621 calls it url


def test_categories_order_captions(vocabulary):
    found = vocabulary('tags = "danbooru.csv"', danbooru_csv=DANBOORU)
    tags = [Tag(text, "joytag", 0.9) for text in ("long hair", "hires", "vocaloid", "miku_hatsune", "1girl")]
    assert merge(tags, MergeRules(vocabulary=found)) == ["1girl", "hatsune miku", "vocaloid", "long hair", "highres"]


def test_implications_are_added_to_ours_and_speak_of_the_tags_that_aliases_leave(vocabulary):
    found = vocabulary(
        'implications = "i.csv"\ndictionary = "d.json"',
        i_csv="katana,japanese_weapon\nkitty_ears,kemonomimi\n",
        d_json='{"kemonomimi": "animal ears", "kitty ears": "cat ears", "katana": "uchigatana"}',
    )
    assert found.implied("uchigatana") >= {"sword", "japanese weapon", "weapon"}
    assert found.implied("cat ears") == {"animal ears", "ears"}


def test_no_two_tags_imply_each_other_whatever_comes_together(vocabulary):
    found = vocabulary(
        'implications = "i.csv"\ndictionary = "d.json"',
        i_csv="sword,weapon\nkorra,the_legend_of_korra\ncat,animal\nanimal,pet cat toy\npet_cat_toy,toy\ntoy,old_cat\n",
        d_json='{"weapon": "katana"}',
    )
    for tag in ("sword", "katana", "korra", "the legend of korra", "cat", "animal", "toy", "old cat"):
        assert all(tag not in found.implied(each) for each in found.implied(tag)), tag
    assert merge(
        [Tag("katana", "wd", 0.9), Tag("sword", "wd", 0.8), Tag("korra", "wd", 0.9)], MergeRules(vocabulary=found)
    )


def test_the_blacklist_is_replaced_or_added_to(vocabulary):
    own = vocabulary('blacklist = ["hat"]')
    assert own.words["hat"] is None
    assert own.words["watermark"].text == "watermark"
    more = vocabulary('also_blacklist = ["gray_hair", "Logo*"]')
    assert more.words["watermark"] is None
    assert more.words["logo on shirt"] is None
    assert more.words["grey hair"] is None  # what the entry means, as an alias
    assert vocabulary("blacklist = []").blacklist == frozenset()
    assert vocabulary("").blacklist == BLACKLIST


# Time


def test_files_are_read_again_only_when_they_changed(vocabulary, file):
    first = vocabulary('dictionary = "d.json"', d_json='{"a": "b"}')
    assert vocabulary('dictionary = "d.json"') is first
    path = file("d.json", '{"a": "c"}')
    os.utime(path, ns=(1, 1))
    again = vocabulary('dictionary = "d.json"')
    assert again.words["a"].text == "c"
    assert first.words["a"].text == "b"
    file("d.json", '{"a": ')
    refusal(vocabulary, 'dictionary = "d.json"')
    file("d.json", '{"a": "ddd"}')
    assert vocabulary('dictionary = "d.json"').words["a"].text == "ddd"


def test_a_long_chain_takes_no_time_by_its_square(file):
    path = file("a.csv", "".join(f"tag{n},tag{n + 1}\n" for n in range(30_000)))
    assert set(read_aliases(path).values()) == {"tag30000"}


def test_many_circles_with_last_words_are_opened_in_time(vocabulary):
    pairs = "".join(f"name{n},a_new_small_name{n}\n" for n in range(5_000))
    found = vocabulary('implications = "i.csv"', i_csv=pairs)
    assert found.implied("a new small name7") == {"new small name7", "small name7", "name7"}
    assert found.implied("name7") == frozenset()
