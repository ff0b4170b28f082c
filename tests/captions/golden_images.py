"""Ten images as libraries know them: what the golden captions are made of."""

from datetime import datetime, timezone

from lorads_core.captions.sources import CaptionMaterial
from lorads_core.model import Caption, ImageRecord, Tag

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)


def tags(source, text):
    """Tags written as ``name 0.9, other name 0.5``; one without a number has no known confidence."""
    found = []
    for part in text.split(", "):
        name, _, score = part.rpartition(" ")
        known = score.replace(".", "").isdigit() and name
        found.append(Tag(name if known else part, source, float(score) if known else None))
    return found


def image(number, *of_tags, sidecar="", prose="", written="", prompt="", edited=""):
    captions = [
        Caption(text, source, edited=source == "manual", updated_at=NOW)
        for source, text in (("sidecar", sidecar), ("joycaption", prose), ("manual", written))
        if text
    ]
    record = ImageRecord(
        "pictures", number, f"/p/{number:02}.png", 832, 1216, 1, 1, "", "png", captions=tuple(captions), prompt=prompt
    )
    by_hand = Caption(edited, "custom", edited=True, fixed=True) if edited else None
    return CaptionMaterial(record, [tag for group in of_tags for tag in group], by_hand)


IMAGES = (
    # Two taggers in their own spellings, each with a rating; grey and gray, a broken face, a watermark.
    image(
        1,
        tags("wd", "1girl 0.99, solo 0.97, long hair 0.93, grey hair 0.71, blue eyes 0.88, smile 0.6, ^_^ 0.5"),
        tags("wd", "watermark 0.8, general 0.4, sensitive 0.55, outdoors 0.36, sky 0.3"),
        tags("wd:character", "hatsune miku 0.91, kagamine rin 0.4"),
        tags("joytag", "1girl 0.95, long_hair 0.9, gray_hair 0.8, hair 0.9, sky 0.31, cloud 0.39, ^_^ 0.6"),
        prose="A smiling girl with long grey hair stands in a field, looking at the viewer.",
        prompt="masterpiece, best quality, (1girl:1.2), grey hair, <lora:miku_v2:0.8>, field, BREAK outdoors",
        sidecar="1girl, grey_hair, field",
    ),
    # DiffusionToolkit's one source for both taggers: whose score it is, is lost.
    image(
        2,
        tags("joytag+wdv3large", "1boy 0.9, solo 0.9, armor 0.37, sword 0.8, katana 0.6, standing 0.33, bad_hands 0.9"),
        tags("joytag+wdv3large", "questionable 0.2, general 0.1"),
    ),
    # Colours and counts that exclude each other.
    image(
        3,
        tags("wd", "1girl 0.6, 2girls 0.9, multiple girls 0.95, solo 0.2, blonde hair 0.8, black hair 0.7"),
        tags("joytag", "2girls 0.8, yuri 0.5, blonde_hair 0.9, holding_hands 0.7, explicit 0.3, general 0.29"),
        prose="Two girls hold hands. One is blonde, the other has black hair.",
    ),
    # Nobody there.
    image(
        4,
        tags("wd", "no humans 0.98, scenery 0.95, mountain 0.9, cloudy sky 0.8, sky 0.85, 1girl 0.1, general 0.9"),
        tags("joytag", "no_humans 0.9, scenery 0.9, sky 0.9, snow 0.6"),
        prose="A snowy mountain under a cloudy sky",
        prompt="a snowy mountain under a cloudy sky, photograph, 35mm",
    ),
    # Prose alone.
    image(5, prose="An orange cat is asleep on a stack of old books; dust floats in the light of a window."),
    # A prompt of Pony's, as it was typed.
    image(
        6,
        prompt="score_9, score_8_up, score_7_up, source_anime, rating_safe, 1girl, solo, cat ears, (smile:1.1),\n"
        "embedding:zPDXL2, [red:blue:0.4] dress, hat \\(witch\\)",
    ),
    # A person has written this one for the dataset.
    image(7, tags("wd", "1girl 0.9, blue dress 0.8"), edited="tom, at the window (seen from below), Long_Hair"),
    # A person has written this one in the library.
    image(8, tags("wd", "1boy 0.9, hat 0.8, what 0.7, no shirt 0.9"), written="a boy without a shirt, wearing a hat"),
    # A text file beside it, which holds the trigger and separators of trainers.
    image(9, sidecar="Tom, 1girl, red_dress ||| smile,, smile ;;; looking at viewer, saber (fate)"),
    # Nothing at all.
    image(10),
)
