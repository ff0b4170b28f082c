"""Which tags name something inborn, that a subject has in every image: rules of whole words, and no other trait.

Clothing, pose, expression and what hands do are not inborn, nor is what is only worn (`fake animal ears`) or done
(`wet hair`). The words are our own choice from Danbooru's tag groups (danbooru.donmai.us/wiki_pages/tag_groups, read in
2025): a tag counts when it is one of a kind's phrases, when it ends in one of its words and all words before that are
of those that say how it is, or when it begins with one of its marks and says where that is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal[
    "name", "hair", "eyes", "face", "skin", "ears", "horns", "tail", "wings", "species", "mark", "body", "age"
]  # fmt: skip
"""What a trait is of; a ``name`` is a character's, which says all others at once."""


class _Words(NamedTuple):
    """A kind of trait: its phrases, and its last words with those that may stand before them."""

    kind: Kind
    phrases: frozenset[str]
    ends: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _phrases(lines: str) -> frozenset[str]:
    return frozenset(phrase for line in lines.split("\n") for each in line.split(",") if (phrase := each.strip()))


_COLOURS = _set(
    "aqua black blonde blue brown green grey gray orange pink purple red silver white yellow gold golden violet teal"
    " turquoise auburn ginger amber hazel beige copper platinum strawberry light dark pale bright multicolored"
    " multicolor two-tone rainbow gradient colored"
)
_SIZES = _set("absurdly very long short medium big small large huge little tiny single one two multiple extra mini")
_ANIMALS = _set(
    "animal bat bear bird boar bunny butterfly cat chicken cow crab cheetah crocodile deer dinosaur dog dolphin donkey"
    " dragon dragonfly eagle ermine feather feathered ferret fish fox giraffe goat hamster hawk hedgehog horse hyena"
    " insect jackal jaguar kangaroo koala leopard lion lizard lynx mouse monkey octopus otter owl oni panda peacock"
    " penguin pig plant platypus rabbit raccoon rat red-panda reindeer robot scorpion seal shark sheep shrimp skunk"
    " snake spider squid squirrel swallow tanuki tiger turtle weasel whale wolf"
)
_BEINGS = _ANIMALS | _set(
    "alien angel arthropod centaur cyborg demon devil dryad dullahan elf fairy fallen fiend furry ghost giant goblin"
    " golem harpy imp jiangshi kemono kitsune lamia machine mechanical mermaid minotaur monster mummy orc pegasus"
    " phoenix plush pony satyr skeleton slime succubus troll undead unicorn vampire werewolf witch yokai zombie"
)

_RULES = (
    _Words(
        "hair",
        _phrases(
            """twintails, twin braids, ponytail, high ponytail, low ponytail, side ponytail, short ponytail
            low twintails, short twintails, two side up, one side up, braid, single braid, side braid, french braid
            crown braid, braided bun, braided ponytail, hair bun, single hair bun, double bun, bun, bangs, blunt bangs
            parted bangs, swept bangs, asymmetrical bangs, long bangs, short bangs, choppy bangs, crossed bangs, ahoge
            antenna hair, heart ahoge, huge ahoge, sidelocks, long sidelocks, asymmetrical sidelocks, hair flaps
            hair intakes, hair between eyes, hair over one eye, hair over eyes, hair over shoulder, half updo, updo
            bob cut, inverted bob, bowl cut, buzz cut, crew cut, pixie cut, hime cut, wolf cut, undercut, mohawk, mullet
            pompadour, afro, dreadlocks, cornrows, drill hair, twin drills, ringlets, topknot, chonmage, bald, bald girl
            widow's peak, hair slicked back, hair pulled back, split-color hair, colored inner hair, colored tips
            receding hairline, quad tails, tri tails, folded ponytail"""
        ),
        ends=_set("hair"),
        before=_COLOURS | _SIZES | _set("straight wavy curly messy spiked spiky streaked flipped thick fluffy frizzy"),
    ),
    _Words(
        "eyes",
        _phrases(
            """heterochromia, slit pupils, symbol-shaped pupils, heart-shaped pupils, star-shaped pupils
            cross-shaped pupils, diamond-shaped pupils, horizontal pupils, constricted pupils, no pupils, dashed eyes
            ringed eyes, solid oval eyes, cross-eyed, tsurime, tareme, jitome, sanpaku, long eyelashes, thick eyelashes
            colored eyelashes, white eyelashes, bags under eyes, mismatched pupils, compound eyes, third eye, cyclops
            missing eye, mechanical eye, cloudy eyes, extra eyes"""
        ),
        ends=_set("eyes eye pupils sclera irises"),
        before=_COLOURS,
    ),
    _Words(
        "face",
        _phrases(
            """thick eyebrows, short eyebrows, long eyebrows, forked eyebrows, thin eyebrows, bushy eyebrows, fang
            fangs, skin fang, double fang, sharp teeth, buck teeth, tusks, beard, full beard, long beard, mustache
            goatee, stubble, sideburns, facial hair, whiskers, snout, beak, thick lips, big nose, pointy nose, long nose
            hooked nose, cleft chin, forked tongue, long tongue, gap teeth, dimples, large forehead"""
        ),
        ends=_set("eyebrows beard mustache"),
        before=_COLOURS | _SIZES,
    ),
    _Words(
        "skin",
        _phrases(
            """tan, tanlines, dark-skinned female, dark-skinned male, very dark skin, scales, fur, body fur
            translucent skin, wrinkled skin, patchwork skin, gyaru, ganguro, albino, vitiligo"""
        ),
        ends=_set("skin fur scales"),
        before=_COLOURS | _set("tan tanned fair olive ebony brown-skinned"),
    ),
    _Words(
        "ears",
        _phrases("pointy ears, long pointy ears, kemonomimi, kemonomimi mode, round ears, extra ears, no ears"),
        ends=_set("ears ear"),
        before=_ANIMALS | _COLOURS | _SIZES | _set("elf floppy pointed pointy robot mechanical notched torn demon"),
    ),
    _Words(
        "horns",
        _phrases("horns, horn, antlers, antennae, skin-covered horns, broken horn, curled horns, asymmetrical horns"),
        ends=_set("horns horn antlers"),
        before=_BEINGS | _COLOURS | _SIZES | _set("curled curved broken crystal glowing asymmetrical"),
    ),
    _Words(
        "tail",
        _phrases("tail, tails, multiple tails, prehensile tail, tail-tip fire"),
        ends=_set("tail tails"),
        before=_BEINGS | _COLOURS | _SIZES | _set("fluffy striped spiked tapering forked"),
    ),
    _Words(
        "wings",
        _phrases("wings, no wings, wing ears"),
        ends=_set("wings wing"),
        before=_BEINGS
        | _COLOURS
        | _SIZES
        | _set("head low ankle back detached glowing crystal energy ice transparent asymmetrical tattered torn"),
    ),
    _Words(
        "species",
        _phrases(
            """elf, dark elf, high elf, half-elf, angel, fallen angel, demon, vampire, succubus, incubus, mermaid
            merman, furry, robot, android, cyborg, humanoid robot, alien, ghost, zombie, skeleton, harpy, lamia, centaur
            fairy, dryad, dullahan, oni, kitsune, kappa, tengu, nekomata, jiangshi, slime, goblin, orc, dwarf, giant
            giantess, dragon, unicorn, werewolf, mummy, monster, creature, anthro, feral, kemono, merfolk, living doll
            joints, doll joints, puppet, minigirl, bio-android, mechanical arms, mechanical legs, mechanical hands
            prosthesis, prosthetic arm, prosthetic leg, amputee, extra arms, gills, hooves, claws, talons, paws
            taur, gynoid, satyr, minotaur, mimic, golem, spirit"""
        ),
        ends=_set("girl boy woman man female male humanoid"),
        before=_BEINGS,
    ),
    _Words(
        "mark",
        _phrases(
            """mole, scar, scars, freckles, tattoo, tattoos, birthmark, facial mark, facial tattoo, forehead mark
            forehead jewel, whisker markings, burn scar, body freckles, multiple moles, multiple scars, multiple tattoos
            full-body tattoo, arm tattoo, leg tattoo, back tattoo, neck tattoo, chest tattoo, shoulder tattoo
            pubic tattoo, tribal tattoo, irezumi, body markings, facial scar, top surgery scars, beauty mark
            cheek tattoo, barcode tattoo, bindi, spots, stripes, tiger stripes"""
        ),
    ),
    _Words(
        "body",
        _phrases(
            """flat chest, muscular, muscular female, muscular male, abs, plump, fat, obese, petite, slim, skinny, tall
            short, curvy, wide hips, narrow waist, thick thighs, broad shoulders, tall female, tall male, toned
            toned male, toned female, voluptuous, slender, chubby, pectorals, large pectorals, stocky"""
        ),
        ends=_set("breasts"),
        before=_SIZES | _set("gigantic"),
    ),
    _Words(
        "age",
        _phrases(
            """child, toddler, baby, aged down, aged up, teenager, mature female, mature male, old, old man, old woman
            elderly, adult, female child, male child, young, young man, young woman, middle-aged, milf"""
        ),
    ),
)
_MARKS = _set("mole moles scar scars tattoo tattoos freckles birthmark")
_WHERE = _set("on under above below across over between behind")


@lru_cache(maxsize=65536)
def inherent(tag: str) -> Kind | None:
    """Return what a canonical tag is an inborn trait of, None where it names none."""
    words = tag.split(" ")
    if len(words) > 2 and words[0] in _MARKS and words[1] in _WHERE:  # noqa: PLR2004 - mole, under, mouth
        return "mark"
    return next((rule.kind for rule in _RULES if _fits(rule, tag, words)), None)


def _fits(rule: _Words, tag: str, words: list[str]) -> bool:
    if tag in rule.phrases:
        return True
    return len(words) > 1 and words[-1] in rule.ends and rule.before.issuperset(words[:-1])
