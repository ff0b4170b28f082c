"""How many tokens a caption has: counted with CLIP's own tokenizer, estimated for T5; it cuts nothing off.

CLIP's byte-pair merges stand beside this module (`clip_merges.LICENSE` says where they are from); the vocabulary is
derived from them as OpenAI's clip/simple_tokenizer.py does, and the steps before it are those of Hugging Face's
CLIPTokenizer (transformers 5.23, models/clip/tokenization_clip.py), which the trainers use. Older ones (transformers 4
without its Rust tokenizers) put spaces around Chinese characters, and may count a few more or fewer of them.
"""

from __future__ import annotations

import gzip
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenizers import Tokenizer

    from .profiles import TokenizerName

CHUNK = 75
"""Tokens that CLIP reads at once, without its two marks."""

_MERGES = "clip_merges.txt.gz"
_END_OF_WORD = "</w>"
_SPECIAL = ("<|startoftext|>", "<|endoftext|>")
# What CLIP's tokenizer takes for spaces: Unicode's White_Space.
_SPACE = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_PARTS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# Ids follow how often CLIP's texts have a token: `cat` is 2,368, `ladybug` 40,038, `ohwx` 47,993, `sks` 48,136.
_RARE = 45_000
_MOST_KEPT = 200_000
# Characters; what is longer seldom comes twice.
_LONG_WORD = 60
_LONG_TAG = 40


def counter(name: TokenizerName) -> TokenCounter:
    """Return what counts the tokens of texts; T5's numbers are estimates (see `is_estimate`)."""
    return _counter(name)


def is_estimate(name: TokenizerName) -> bool:
    """Tell whether a tokenizer's numbers are estimates, as T5's are: 95 % of English captions are within 15 %.

    Its vocabulary is in no small library. The rule was fitted with the tokenizer of T5 v1.1 XXL to 1,100 prompts and
    1,500 lists of tags. It is wrong for other scripts than Latin, of which T5 knows few letters.
    """
    return name == "t5"


def chunks(tokens: int) -> int:
    """Return how many chunks of 75 CLIP needs for this number of tokens; an empty text takes one too."""
    return max(1, -(-tokens // CHUNK))


@lru_cache(256)
def is_common(text: str) -> bool:
    """Tell whether each word of a text is a common token of CLIP's (`tom`, not `ohwx`): it means something already."""
    words = text.split()
    if not words or not all(len(word) > 1 and word.isalpha() for word in words):
        return False
    ids = _clip().encode(text, add_special_tokens=False).ids
    return len(ids) == len(words) and max(ids) < _RARE


class _Numbers(dict[str, float]):
    """Numbers of tokens by text, worked out once for all that is not long."""

    def __init__(self, number: Callable[[str], float], longest: int) -> None:
        super().__init__()
        self._number = number
        self._longest = longest

    def __missing__(self, text: str) -> float:
        number = self._number(text)
        if len(self) >= _MOST_KEPT:
            self.clear()
        if len(text) <= self._longest:
            self[text] = number
        return number


class TokenCounter:
    """Counts the tokens of texts, without the marks at begin and end, by look-ups: no token spans a space."""

    def __init__(self, number: Callable[[str], float]) -> None:
        self._word = _Numbers(number, _LONG_WORD).__getitem__
        # A tag with the comma behind it: tags are fewer than words, and come again and again.
        self._tag = _Numbers(lambda tag: sum(map(self._word, _words(f"{tag},"))), _LONG_TAG).__getitem__

    def __call__(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return self.of_parts(text.split(", "))

    def of_parts(self, parts: list[str]) -> int:
        """Return the number of tokens of a text's parts between commas, each of which has a space before or behind."""
        *tags, last = parts
        return round(sum(map(self._tag, tags)) + sum(map(self._word, _words(last))))


def _words(text: str) -> list[str]:
    # Python splits at four control characters that are no spaces to CLIP.
    return text.split() if text.isprintable() else _SPACE.split(text)


@cache
def _counter(name: TokenizerName) -> TokenCounter:
    tokenizer = _clip()

    def clip(word: str) -> int:
        return len(tokenizer.encode(word, add_special_tokens=False))

    def t5(word: str) -> float:
        return max(1.0, 1.4 * clip(word) - 0.3 - 1.2 * sum(map(str.isdigit, word))) if word else 0.0

    return TokenCounter(clip if name == "clip" else t5)


@cache
def _clip() -> Tokenizer:
    """Return CLIP's tokenizer: what transformers makes of the same merges."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers  # noqa: PLC0415 - heavy

    merges = _merges()
    tokenizer = Tokenizer(
        models.BPE(_vocabulary(merges), merges, end_of_word_suffix=_END_OF_WORD, unk_token=_SPECIAL[1])
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PARTS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(mark, normalized=mark == _SPECIAL[0]) for mark in _SPECIAL])
    return tokenizer


def _merges() -> list[tuple[str, str]]:
    packed = Path(__file__).with_name(_MERGES).read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return [(first, second) for first, _, second in (line.partition(" ") for line in lines)]


def _vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Return token -> id: the 256 bytes as printable characters, the same at a word's end, the merges, the marks."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(plain)
    letters = [*map(chr, plain), *(chr(256 + number) for number in range(others))]
    tokens = (*letters, *(letter + _END_OF_WORD for letter in letters), *map("".join, merges), *_SPECIAL)
    return {token: number for number, token in enumerate(tokens)}
