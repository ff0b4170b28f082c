"""CLIP_VISION as an encoder: a hand-written model and as much of torch as it takes; the core and the store are real."""

import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.store.vectors import coverage, find_table, read_vectors

from .pack import as_lists, loaded


class Tensor(np.ndarray):
    """As much of torch.Tensor as is used, over numpy."""

    def detach(self):
        return self

    def cpu(self):
        return self

    def float(self):
        return self.astype(np.float32).view(Tensor)

    def half(self):
        return self.astype(np.float16).view(Tensor)

    def numpy(self):
        return np.asarray(self)


def tensor(values):
    return np.asarray(values, np.float32).view(Tensor)


class ClipVision:
    """A model like ComfyUI's: its tokens are the mean colour and three times that, its projection doubles."""

    def __init__(self, kind="clip_vision_model", size=8, seed=1, config=None):
        self.image_size = size
        self.config = {"model_type": kind, **(config or {})}
        self.calls = []
        self.bias = np.random.default_rng(seed).normal(size=3).astype(np.float32)
        if kind.startswith("dino"):
            self.model = SimpleNamespace()
        else:
            vision = SimpleNamespace(output_layernorm=kind.startswith("siglip"), post_layernorm=self.post_layernorm)
            self.model = SimpleNamespace(vision_model=vision)

    def post_layernorm(self, values):
        return values + self.bias

    def encode_image(self, image, crop=True):  # noqa: FBT002 (ComfyUI's)
        self.calls.append((image.shape, image.dtype, crop))
        first = np.asarray(image).mean(axis=(1, 2))
        tokens = tensor(np.stack([first, first * 3], axis=1))
        kind = self.config["model_type"]
        embeds = tokens if kind.startswith("siglip") else tensor(first * 2)
        return {"last_hidden_state": tokens, "image_embeds": embeds}

    def get_sd(self):
        return {"bias": tensor(self.bias), "matrix": tensor(np.zeros((3, 3)))}


@pytest.fixture
def base(tmp_path):
    for n, colour in enumerate([(200, 0, 0), (0, 200, 0), (0, 0, 200), (51, 102, 153), (7, 77, 177)]):
        path = tmp_path / "base" / "input" / "mine" / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), colour).save(path)
    (tmp_path / "base" / "output").mkdir()
    return tmp_path / "base"


@pytest.fixture(autouse=True)
def torch():
    assert "torch" not in sys.modules, "the real torch is for a real ComfyUI"
    module = sys.modules["torch"] = ModuleType("torch")
    module.from_numpy = tensor
    yield module
    del sys.modules["torch"]


@pytest.fixture
def pack(base, store_settings):
    with loaded(base, store_settings) as pack:
        yield pack


@pytest.fixture
def embedder(pack):
    """Return the class; its module is imported late, as the node does it."""
    return import_module(f"{pack.root.__name__}.nodes.embedder").ClipVisionEmbedder


def vectors(embedder, clip_vision, *colours):
    made = embedder(clip_vision, batch_size=2)
    return made, made.embed([made.fit(Image.new("RGB", (30, 20), colour)) for colour in colours])


COLOURS = [(255, 0, 0), (0, 255, 0), (51, 102, 153)]
SHADES = np.array(COLOURS, np.float32) / 255


def test_clip_gives_its_class_token_behind_the_last_norm(embedder):
    clip_vision = ClipVision()
    made, found = vectors(embedder, clip_vision, *COLOURS)
    np.testing.assert_allclose(found, SHADES + clip_vision.bias, atol=1e-6)
    assert found.dtype == np.float32
    assert made.space.dimensions == 3
    assert made.space.name.endswith("-pooled")
    assert "clip_vision_model" in made.space.origin
    # A blank that shows the dimensions, then batches at the model's own size: ComfyUI neither crops nor resizes.
    assert clip_vision.calls == [((n, 8, 8, 3), np.float32, False) for n in (1, 2, 1)]
    assert made.embed([]).shape == (0, 3)


def test_dino_gives_its_class_token_as_embeds(embedder):
    made, found = vectors(embedder, ClipVision("dinov2"), *COLOURS)
    np.testing.assert_allclose(found, SHADES * 2, atol=1e-6)
    assert made.space.name.endswith("-image_embeds")


def test_the_tokens_of_siglip_are_averaged(embedder):
    made, found = vectors(embedder, ClipVision("siglip_vision_model"), *COLOURS)
    np.testing.assert_allclose(found, SHADES * 2, atol=1e-6)
    assert made.space.name.endswith("-mean")


def test_a_model_for_any_shape_gets_the_square_of_its_patches(embedder):
    config = {"patch_size": 16, "num_patches": 256}
    made = embedder(ClipVision("siglip2_vision_model", size=-1, config=config))
    assert made.fit(Image.new("RGB", (30, 20))).size == (256, 256)


def test_the_space_is_the_weights_and_never_diffusiontoolkits(embedder):
    def name(clip_vision):
        return embedder(clip_vision).space.name

    half = ClipVision()
    half.bias = half.bias.astype(np.float16).astype(np.float32)
    assert name(ClipVision()) == name(ClipVision()) == name(half), "16 bits of the same weights are the same model"
    assert len({name(ClipVision()), name(ClipVision(seed=2)), name(ClipVision("dinov2"))}) == 3
    assert name(ClipVision()).startswith("clip-vision-")


def run(pack, **inputs):
    node = pack.nodes["LoradsIndexImages"]
    given = {"folder": "mine", "library": "pictures", "sidecars": ".txt=sidecar", **inputs}
    return node.execute(**as_lists(node, given))


def held(store):
    with store.connection() as connection:
        return {known.space.name: known.images for known in coverage(connection, "pictures")}


def test_index_images_embeds_the_folder(pack, embedder, store):
    clip_vision = ClipVision()
    made = run(pack, clip_vision=clip_vision)
    space = embedder(clip_vision).space
    assert held(store) == {space.name: 5}
    assert "5 embedded" in made.ui.value
    assert made.args[1:] == (5, "")
    record = next(
        each for each in IndexedLibrary(store, "pictures").find(DatasetFilter()) if each.path.endswith("3.png")
    )
    with store.connection() as connection:
        _, (vector,) = read_vectors(connection, find_table(connection, "pictures", space.name), [record.id])
    expected = SHADES[2] + clip_vision.bias
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=2e-3)
    assert pack.shown[-1] == (5, 5)
    assert "0 embedded, 5 unchanged" in run(pack, clip_vision=clip_vision).ui.value


def test_without_a_model_nothing_is_embedded(pack, store):
    made = run(pack)
    assert "embedded" not in made.ui.value
    assert held(store) == {}
    assert "lorads_pack.nodes.embedder" not in sys.modules, "torch is for those who wire a model"


def test_only_the_folder_that_was_indexed(pack, base, store):
    run(pack)
    for n in range(2):
        path = base / "input" / "other" / f"{n}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (9, 9), (n, 50, 60)).save(path)
    pack.nodes["LoradsIndexImages"].execute(["other"], ["pictures"], [".txt=sidecar"], clip_vision=[ClipVision()])
    assert list(held(store).values()) == [2]


def test_a_picture_without_a_vector_is_a_problem(pack, store):
    clip_vision = ClipVision()
    clip_vision.bias = np.full(3, np.nan, np.float32)
    _, found, problems = run(pack, clip_vision=clip_vision).args
    assert found == 5
    assert problems.startswith("warning: 5 × The encoder gives no vector")
    assert "gives no vector" in problems
    assert held(store) == {}


@pytest.mark.slow
def test_an_interruption_is_comfyuis_own_and_the_next_run_goes_on(pack, store):
    class Interrupting(ClipVision):
        """Is interrupted by the user while it looks at the first pictures; the blank comes before."""

        def encode_image(self, image, crop):
            pack.interruption.interrupted = len(self.calls) == 1
            return super().encode_image(image, crop)

    with pytest.raises(pack.interruption.InterruptProcessingException):
        run(pack, clip_vision=Interrupting())
    pack.interruption.interrupted = False
    assert list(held(store).values()) == [5], "the batch that was under way is kept"
    assert "0 embedded" in run(pack, clip_vision=ClipVision()).ui.value
