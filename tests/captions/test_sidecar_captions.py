"""The text beside an image, from its file to its caption: what people's files hold is read for what it means.

Most cases are public bug reports of other programs, rebuilt small.
"""

import json
import os
from dataclasses import replace
from uuid import uuid4

import pytest

from lorads_core.captions.caption import CaptionSettings, caption_dataset
from lorads_core.captions.merge import MergeRules
from lorads_core.captions.sources import CaptionMaterial
from lorads_core.captions.vocabulary import Vocabulary
from lorads_core.library.sidecars import Reading, SidecarRule
from lorads_core.library.sidecars.beside import FolderTexts
from lorads_core.library.sidecars.indexing import IndexedTexts, read_beside
from lorads_core.model import Dataset, DatasetImage, ImageRecord, Trigger
from lorads_core.workflow.parse import sidecar_rule


class Folder:
    """A folder of text files beside images, read as indexing reads it."""

    def __init__(self, path):
        self.path = path
        self.found = {}
        self.problems = []

    def write(self, files):
        for name, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            (self.path / name).parent.mkdir(exist_ok=True, parents=True)
            (self.path / name).write_bytes(data)
        return self

    def read(self, *images, rule=None):
        rule = rule or SidecarRule()
        texts = IndexedTexts(rule, follow_links=False, download=False)
        for folder in sorted({os.path.dirname(name) for name in images}, key=len):
            self._read(texts, rule, folder, [name for name in images if os.path.dirname(name) == folder])
        self.problems = [*texts.problems, *texts.notes.problems()]
        return self

    def _read(self, texts, rule, folder, images):
        path = self.path / folder
        listed = FolderTexts(rule)
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            if entry.is_file():
                listed.add(entry, os.path.splitext(entry.name)[1].lower())
        texts.open_folder(str(path), listed)
        for name in images:
            base = os.path.basename(name)
            found = read_beside(texts.beside(str(path / base), base, listed))
            self.problems += found.problems
            texts.note(found)
            self.found[name] = found
        texts.close_folder(str(path), listed, [os.path.basename(name) for name in images])

    def caption(self, name, trigger="", *, source="sidecar", regularization=False, rules=None):
        found = self.found[name]
        record = ImageRecord("pictures", 1, f"/p/{name}", 8, 8, 1, 1, "", "png")
        record = replace(record, captions=found.captions, prompt=found.prompt)
        image = (DatasetImage(record),)
        dataset = Dataset(uuid4(), "d", "pictures", *(((), image) if regularization else (image, ())))
        settings = CaptionSettings(source, trigger=Trigger(trigger), rules=rules or MergeRules())
        (captioned,) = caption_dataset(dataset, [CaptionMaterial(record, found.tags)], settings)[0].images
        return captioned.caption.text if captioned.caption else ""

    def tags(self, name):
        return [tag.text for tag in self.found[name].tags]

    def codes(self):
        return {problem.code for problem in self.problems}


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def captioned(folder, text, trigger="", name="a.txt", **more):
    """Return the caption of a.png beside a file of this text."""
    return folder.write({name: text}).read("a.png").caption("a.png", trigger, **more)


# Names


@pytest.mark.parametrize("name", ["a.jpg.txt", "a.txt", "A.JPG.TXT", "a.jpg.caption", "a.jpg.json"])
def test_a_sidecar_is_found_by_the_stem_or_the_whole_name(folder, name):
    text = '{"tags": "1girl, red coat, smile"}' if name.endswith("json") else "1girl, red coat, smile\n"
    source = "joycaption" if name.endswith("caption") else "sidecar"
    assert folder.write({name: text}).read("a.jpg").caption("a.jpg", source=source) == "1girl, red coat, smile"


def test_a_whole_name_is_of_the_image_of_that_suffix_only(folder):
    folder.write({"a.jpg.txt": "one, two", "a.png.txt": "three, four"}).read("a.jpg", "a.png")
    assert [folder.caption(name) for name in ("a.jpg", "a.png")] == ["one, two", "three, four"]


def test_several_suffixes_at_once(folder):
    folder.write({"a.txt": "fox, snow", "a.caption": "A fox sits in the snow."}).read("a.png")
    assert folder.caption("a.png") == "fox, snow"
    assert folder.caption("a.png", source="joycaption") == "A fox sits in the snow."


def test_of_two_files_of_one_source_the_first_is_read_and_the_other_counted(folder):
    folder.write({"a.txt": "fox, snow", "a.png.txt": "dog, grass", "a.json": '{"tags": "cat"}'}).read("a.png")
    assert folder.caption("a.png") == "fox, snow"
    (problem,) = [each for each in folder.problems if each.code == "sidecar-second"]
    assert problem.message.startswith("2 text files were not read because the image has another of the same source")


def test_a_suffix_of_several_parts_can_be_named(folder):
    rule = sidecar_rule([".wd14.txt=wd", ".jpg.txt=sidecar"])
    folder.write({"a.wd14.txt": "fox, snow", "a.txt": "A fox."}).read("a.png", rule=rule)
    assert (folder.tags("a.png"), folder.caption("a.png")) == (["fox", "snow"], "A fox.")


def test_text_files_that_belong_to_no_image_are_counted_and_offered(folder):
    files = {f"{n}.wd14.txt": "fox" for n in range(3)} | {"README.txt": "hello", "settings.json": "{}"}
    folder.write(files).read("0.png", "1.png", "2.png")
    (problem,) = folder.problems
    assert problem.code == "sidecar-unread"
    assert "3 (*.wd14.txt), 1 (*.txt)" in problem.message
    assert "--sidecar .wd14.txt=sidecar" in problem.message


def test_a_suffix_can_be_left_unread(folder):
    rule = sidecar_rule([".txt=none"])
    assert folder.write({"a.txt": "fox"}).read("a.png", rule=rule).caption("a.png") == ""
    assert "1 (*.txt)" in folder.problems[0].message


# One caption a line, one tag a line


VARIANTS = "a fox sits in snow, winter\nfox, snow, winter\na red fox on a white field\n"


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        (VARIANTS, "a fox sits in snow, winter"),
        ("A fox in snow\nA red fox\n", "A fox in snow"),
        ("fox, snow, night\r\nfox, night\r\n", "fox, snow, night"),
    ],
)
def test_of_one_caption_a_line_the_first_is_used_and_said_so(folder, text, caption):
    assert captioned(folder, text) == caption
    (problem,) = folder.problems
    assert "one caption a line, of which the first is used" in problem.message


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("1girl\nsmile", "1girl, smile"),
        ("1girl, solo,\nred coat, smile", "1girl, solo, red coat, smile"),
        ("1girl, solo\nred coat, smile", "1girl, solo, red coat, smile"),
        ("1girl\n\nlong_hair\n", "1girl, long hair"),
    ],
)
def test_a_list_of_tags_over_several_lines_is_one_list(folder, text, caption):
    assert captioned(folder, text) == caption


@pytest.mark.parametrize(
    "text",
    [
        "The image shows a fox. It sits in the snow.\n\nThe sky is grey. Nobody is there.",
        "A fox with a white tail sits in the deep snow of the\nforest and looks back at us.",
    ],
)
def test_paragraphs_and_broken_lines_are_one_caption(folder, text):
    assert captioned(folder, text) == " ".join(text.split())
    assert folder.problems == []


def test_what_most_files_of_a_folder_are_decides_for_one_that_could_be_either(folder):
    files = {f"{n}.txt": "1girl, solo\na girl in a red coat\n" for n in range(5)} | {"a.txt": "fox\nsnow\n"}
    images = [name.replace("txt", "png") for name in files]
    assert folder.write(files).read(*images).caption("a.png") == "fox"
    (problem,) = folder.problems
    assert problem.message.startswith("6 .txt files were read as one caption a line")


def test_what_a_file_is_can_be_said(folder):
    folder.write({"a.txt": VARIANTS})
    read = {}
    for form in ("tags", "text", "captions"):
        folder.read("a.png", rule=sidecar_rule([f".txt=sidecar:{form}"]))
        read[form] = folder.caption("a.png")
    assert read["captions"] == "a fox sits in snow, winter"
    assert "winter, fox, snow" in read["tags"]
    assert "winter fox" in read["text"]


# Tags separated by spaces


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        (
            "1girl long_hair red_coat smile looking_at_viewer solo\n",
            "1girl, long hair, red coat, smile, looking at viewer, solo",
        ),
        ("anthro canine digital_media_(artwork) 2019", "anthro, canine, digital media (artwork), 2019"),
        ("solo ^_^ blue_eyes", "solo, ^_^, blue eyes"),
    ],
)
def test_tags_separated_by_spaces_are_tags(folder, text, caption):
    assert captioned(folder, text) == caption
    assert "tags separated by spaces" in folder.problems[0].message


@pytest.mark.parametrize("text", ["a photo of my_cat in the snow", "long hair", "My fox_1 sits there.", "fox ^_^"])
def test_words_that_are_no_list_of_tags_stay_as_they_are(folder, text):
    assert captioned(folder, text) == text


def test_a_list_without_an_underscore_is_read_as_most_of_its_folder(folder):
    files = {f"{n}.txt": f"1girl long_hair dress_{n}" for n in range(3)} | {"a.txt": "1girl solo smile"}
    folder.write(files).read("0.png", "1.png", "2.png", "a.png")
    assert folder.caption("a.png") == "1girl, solo, smile"


# What generators write

PARAMETERS = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 640x640"


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        (
            f"a fox in snow, winter\nNegative prompt: hat, watermark\n{PARAMETERS}, Model: m\n",
            "a fox in snow, winter",
        ),
        (f"a fox\n{PARAMETERS}", "a fox"),
        (
            f"(red fox:1.2), <lora:x:0.8>, snow\nBREAK winter\nNegative prompt: hat\nsun\n{PARAMETERS}",
            "red fox, snow, winter",
        ),
    ],
)
def test_an_infotext_is_its_positive_prompt(folder, text, caption):
    assert captioned(folder, text) == caption
    assert folder.caption("a.png", source="prompt") == caption
    assert folder.caption("a.png", source="joycaption") == ""
    assert folder.found["a.png"].negative_prompt.startswith(("hat", "")[text.count("Negative") == 0])
    assert "what a generator writes" in folder.problems[0].message


def test_words_that_only_look_like_an_infotext_are_a_caption(folder):
    assert captioned(folder, "Steps: old, mossy and wet") == "steps: old, mossy and wet"


# The trigger's placeholder


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("a photo of [trigger] in snow, winter", "a photo of annax in snow, winter"),
        ("[trigger], 1girl, red coat", "annax, 1girl, red coat"),
        ("[name] sits in the snow. [Trigger] is cold.", "annax sits in the snow. annax is cold."),
        ("1girl, red coat, [trigger]", "annax, 1girl, red coat"),
        ("[trigger], annax, 1girl, [name]", "annax, 1girl"),
    ],
)
def test_the_placeholder_is_the_trigger(folder, text, caption):
    assert captioned(folder, text, "annax") == caption
    assert not any("[" in tag for tag in folder.tags("a.png"))


def test_without_a_trigger_and_in_regularization_images_the_placeholder_goes(folder):
    folder.write({"a.txt": "[trigger], 1girl, red coat"}).read("a.png")
    assert folder.caption("a.png") == "1girl, red coat"
    assert folder.caption("a.png", "annax", regularization=True) == "1girl, red coat"


def test_brackets_that_are_no_placeholder_stay(folder):
    assert captioned(folder, "a sign that says [triggered] in the snow, winter", "annax").endswith(
        "a sign that says [triggered] in the snow, winter"
    )


# HTML entities, encodings


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        (
            "1girl, grabbing_another&#039;s_arm, :&lt;, salt_&amp;_pepper",
            "1girl, grabbing another's arm, :<, salt & pepper",
        ),
        ("a &quot;red&quot; fox&#x27;s den, R&amp;amp;B", 'a "red" fox\'s den, r&b'),
        ("&gt;_&lt;, smile", ">_<, smile"),
        ("AT&T, b & c; d", "at&t, b & c; d"),
    ],
)
def test_html_entities_are_the_characters_they_stand_for(folder, text, caption):
    assert captioned(folder, text) == caption


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_utf_8_and_utf_16_with_and_without_a_mark(folder, encoding):
    assert captioned(folder, "a Straße in winter, snow".encode(encoding)) == "a straße in winter, snow"


def test_another_encoding_is_named_and_read_where_it_is_said(folder):
    folder.write({"a.txt": "Straße, café".encode("cp1252")}).read("a.png")
    assert folder.caption("a.png") == ""
    (problem,) = [*folder.found["a.png"].problems]
    assert "--sidecar .txt=sidecar:cp1252" in problem.message
    folder.read("a.png", rule=sidecar_rule([".txt=sidecar:cp1252"]))
    assert folder.caption("a.png") == "straße, café"


# JSON


GALLERY_DL = {
    "category": "danbooru",
    "subcategory": "tag",
    "caption": "thanks for <b>following</b> me!",
    "tags": ["fox", "1girl", "absurdres", "someone"],
    "tags_general": ["1girl", "long_hair"],
    "tags_character": ["holo"],
    "tags_artist": ["someone"],
    "tags_meta": ["absurdres"],
}


@pytest.mark.parametrize(
    ("value", "caption", "tags"),
    [
        ({"tags": {"wd": "fox, snow"}, "captions": {"caption": "a fox in snow"}}, "a fox in snow", ["fox", "snow"]),
        ({"caption": "A fox.", "tags": ["fox", "white_fur"]}, "A fox.", ["fox", "white fur"]),
        ({"tags": "1girl long_hair solo"}, "1girl, long hair, solo", ["1girl", "long hair", "solo"]),
        ({"tags": {"1girl": 0.98, "long_hair": 0.7}}, "1girl, long hair", ["1girl", "long hair"]),
        ({"tags": {"general": ["fox_(animal)"], "species": ["canine"], "artist": ["x"]}}, "canine, fox (animal)", None),
        ({"tag_string": "a b", "tag_string_general": "1girl hat", "tag_string_artist": "x"}, "1girl, hat", None),
        (GALLERY_DL, "holo, 1girl, long hair", ["holo", "1girl", "long hair"]),
        (["1girl", "long_hair"], "1girl, long hair", None),
        ([{"name": "hat", "score": 0.5}, {"name": "fox"}], "hat, fox", None),
        ({"prompt": "(red fox:1.3), snow", "steps": 20}, "red fox, snow", []),
        ("a fox in snow", "a fox in snow", []),
        ({"1": {"class_type": "KSampler"}}, "", []),
        ({"tags": [None, 3, {"x": []}], "caption": 7}, "", []),
    ],
)
def test_json_beside_an_image(folder, value, caption, tags):
    assert captioned(folder, json.dumps(value), name="a.json") == caption
    assert tags is None or folder.tags("a.png") == tags


def test_a_confidence_in_json_is_that_of_the_tag(folder):
    captioned(folder, '{"tags": {"1girl": 0.98, "hat": 7}}', name="a.json")
    assert {tag.text: tag.confidence for tag in folder.found["a.png"].tags} == {"1girl": 0.98, "hat": None}


def test_tags_of_an_artist_or_of_the_file_are_left_out_and_said_so(folder):
    captioned(folder, json.dumps(GALLERY_DL), name="a.json")
    assert folder.codes() == {"sidecar-unseen"}


def test_json_that_says_nothing_of_the_image_is_counted(folder):
    captioned(folder, '{"nodes": []}', name="a.json")
    assert folder.codes() == {"sidecar-without-words"}


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "{'a': 1}"])
def test_malformed_json_is_a_problem(folder, text):
    captioned(folder, text, name="a.json")
    (problem,) = folder.found["a.png"].problems
    assert "is not valid JSON" in problem.message


# Lists of a folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.jsonl", '{"file_name": "a.png", "text": "a fox in snow"}\n{"file_name": "b.png", "text": "b"}\n'),
        ("metadata.csv", 'file_name,text\na.png,a fox in snow\n"b.png",b\n'),
        ("captions.json", '{"a.png": "a fox in snow", "b.png": "b"}'),
        ("captions.json", '[{"image": "a.png", "caption": "a fox in snow"}]'),
        ("meta_cap.json", '{"/home/x/train/a": {"caption": "a fox in snow", "tags": "fox, snow"}}'),
        ("captions.json", '{"C:\\\\train\\\\a.png": {"caption": "a fox in snow"}}'),
        ("Metadata.JSONL", '{"file_name": "a.png", "tags": ["x"], "caption": "a fox in snow"}'),
    ],
)
def test_lists_of_captions(folder, name, text):
    assert captioned(folder, text, name=name) == "a fox in snow"
    assert folder.problems == []


def test_a_list_above_names_images_of_the_folders_below(folder):
    folder.write({"metadata.jsonl": '{"file_name": "train/a.png", "text": "a fox in snow"}', "train/b.txt": "b"})
    folder.read("x.png", "train/a.png", "train/b.png")
    assert [folder.caption(name) for name in ("x.png", "train/a.png", "train/b.png")] == ["", "a fox in snow", "b"]


def test_a_changed_entry_changes_the_mark_of_its_image_alone(folder):
    lines = ['{"file_name": "a.png", "text": "one"}', '{"file_name": "b.png", "text": "two"}']
    before = folder.write({"metadata.jsonl": "\n".join(lines)}).read("a.png", "b.png").found.copy()
    after = folder.write({"metadata.jsonl": "\n".join(lines).replace("two", "three")}).read("a.png", "b.png").found
    assert before["a.png"].mark == after["a.png"].mark
    assert before["b.png"].mark != after["b.png"].mark


def test_a_malformed_list_is_named_with_its_line(folder):
    captioned(folder, '{"file_name": "b.png", "text": "x"}\n{"file', name="metadata.jsonl")
    (problem,) = folder.problems
    assert "Line 2 of " in problem.message


# XMP


XMP = """<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">
 {}</rdf:Description></rdf:RDF></x:xmpmeta>"""
SUBJECT = "<dc:subject><rdf:Bag><rdf:li>Fox</rdf:li><rdf:li>animals|white fur</rdf:li><rdf:li>darktable|exported"
SUBJECT += "</rdf:li></rdf:Bag></dc:subject>"
DESCRIPTION = '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A fox in snow.</rdf:li></rdf:Alt></dc:description>'


@pytest.mark.parametrize(
    ("name", "inner", "caption"),
    [
        ("a.xmp", SUBJECT, "fox, white fur"),
        ("a.png.xmp", SUBJECT + DESCRIPTION, "A fox in snow."),
        ("a.xmp", "<dc:creator/>", ""),
    ],
)
def test_keywords_and_description_of_lightroom_and_darktable(folder, name, inner, caption):
    assert captioned(folder, XMP.format(inner), name=name) == caption


def test_xmp_with_entities_of_its_own_is_refused(folder):
    bomb = '<!DOCTYPE x [<!ENTITY a "subject">]>' + XMP.format(SUBJECT)
    assert captioned(folder, bomb, name="a.xmp") == ""
    assert "is not valid XMP" in folder.found["a.png"].problems[0].message


# Lists of tags


def test_a_long_text_in_a_list_of_tags_is_not_dropped(folder):
    long = "狐" * 250
    assert captioned(folder, f"1girl, {long}, hat") == f"1girl, {long}, hat"


def test_own_names_of_tags_hold_for_sidecars_where_the_user_wants_it(folder):
    folder.write({"a.txt": "grey_hair, watermark, kitty"}).read("a.png")
    own = {"aliases": {"kitty": "cat", "grey hair": "gray hair"}}
    of_taggers = MergeRules(vocabulary=Vocabulary(**own))
    of_all = MergeRules(vocabulary=Vocabulary(**own, for_sidecars=True))
    assert folder.caption("a.png", rules=of_taggers) == "grey hair, watermark, kitty"
    assert folder.caption("a.png", rules=of_all) == "gray hair, cat"


def test_a_reading_shows_in_the_mark_so_that_another_one_reads_again(folder):
    marks = set()
    for word in (".txt=sidecar", ".txt=sidecar:text", ".txt=wd", ".txt=sidecar:cp1252"):
        folder.write({"a.txt": "fox"}).read("a.png", rule=sidecar_rule([word]))
        marks.add(folder.found["a.png"].mark)
    assert len(marks) == 4


def test_what_the_command_says_comes_before_the_settings_and_they_before_the_default():
    own = sidecar_rule([".txt=wd", ".json=none"])
    said = sidecar_rule([".txt=sidecar:captions"]).over(own)
    assert {each.suffix: each for each in said.readings}[".txt"] == Reading(".txt", "sidecar", "captions")
    assert {each.suffix: each for each in said.readings}[".json"].source == "none"
    assert sidecar_rule([".txt=sidecar"]).over(own) == own
