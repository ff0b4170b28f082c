"""Repeats and epochs follow the size of a dataset or the steps that are wanted, and steps out of range are said."""

from uuid import UUID

import pytest

from lorads_core.export.plan import ExportOptions, plan_export, sized_config
from lorads_core.model import Caption, Concept, Dataset, DatasetImage, ImageRecord
from lorads_core.trainers import checks
from lorads_core.trainers.defaults import make_config


def image(number, concept="", caption="tom"):
    record = ImageRecord("pictures", number, f"/p/{number}.png", 1024, 1024, 1, 1, f"{number:064}", "png")
    return DatasetImage(record, Caption(caption, "sidecar") if caption else None, concept=concept)


def dataset(count, others=0, concepts=()):
    names = [each.name for each in concepts] or [""]
    training = tuple(image(n, names[n % len(names)]) for n in range(count))
    regularization = tuple(image(10_000 + n, caption="cat") for n in range(others))
    return Dataset(UUID(int=1), "tom", "pictures", training, regularization, concepts=concepts)


def plan(data, trainer="sd-scripts", **given):
    return plan_export(data, make_config({"checkpoint": "/x.safetensors", **given}), ExportOptions(trainer))


def amount(made):
    return made.config.repeats, made.config.epochs


def messages(made, code):
    return [problem.message for problem in made.problems if problem.code == code]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (100, 20)), (3, (67, 10)), (20, (10, 10)), (30, (7, 10)), (150, (1, 13)), (300, (1, 7)), (5000, (1, 1))],
)
def test_repeats_and_epochs_make_about_two_thousand_samples(count, expected):
    made = plan(dataset(count))
    assert amount(made) == expected
    assert count > 2500 or 1500 <= count * expected[0] * expected[1] <= 2500
    (said,) = messages(made, "amount")
    assert "chosen by the number of images" in said


def test_what_a_person_set_is_never_changed_and_the_other_follows_it():
    assert amount(plan(dataset(300), repeats=10, epochs=10)) == (10, 10)
    assert amount(plan(dataset(20), epochs=5)) == (20, 5)
    assert amount(plan(dataset(20), repeats=5)) == (5, 20)
    assert messages(plan(dataset(20), repeats=5, epochs=5), "amount") == []


def test_concepts_get_as_many_samples_each_and_their_own_repeats_count():
    both = (Concept("tom"), Concept("hat"))
    assert amount(plan(dataset(40, concepts=both))) == (10, 10)
    own = (Concept("tom", repeats=20), Concept("hat", repeats=20))
    assert plan(dataset(40, concepts=own)).config.epochs == 5


def test_images_without_a_caption_do_not_count():
    data = dataset(20)
    bare = Dataset(data.id, "tom", "pictures", (*data.training, *(image(100 + n, caption="") for n in range(50))))
    assert amount(plan(bare)) == (10, 10)


@pytest.mark.parametrize("trainer", ["sd-scripts", "onetrainer", "simpletuner", "ai-toolkit"])
@pytest.mark.parametrize(("count", "steps"), [(7, 900), (20, 2000), (333, 1500), (40, 123)])
def test_wanted_steps_are_met_within_a_tenth_or_half_an_epoch(trainer, count, steps):
    made = plan(dataset(count), trainer, steps=steps, batch_size=1)
    assert abs(made.schedule.total_steps - steps) <= max(steps / 10, count / 2)
    assert f"by the {steps:,} steps" in messages(made, "amount")[0]


def test_wanted_steps_count_sd_scripts_doubling_by_regularization():
    alone, with_others = plan(dataset(20), steps=2000), plan(dataset(20, others=10), steps=2000)
    assert alone.schedule.total_steps == with_others.schedule.total_steps == 2000
    assert with_others.config.repeats * with_others.config.epochs * 2 == alone.config.repeats * alone.config.epochs


def test_steps_with_epochs_and_repeats_are_a_contradiction():
    made = plan(dataset(20), steps=2000, epochs=10, repeats=10)
    assert any("contradict" in problem.message for problem in made.problems if problem.severity == "error")
    assert plan(dataset(20), steps=1000, epochs=10).config.repeats == 10


def test_a_refused_config_stays_as_it_is():
    config = make_config({"network": "lora", "base_model": "sdxl", "batch_size": 0, "steps": 500})
    assert sized_config(dataset(3), config) == config


def test_few_and_many_steps_are_warned_of_with_regularization_in_them():
    assert "150 steps (300 samples) are few" in messages(plan(dataset(3), repeats=10, epochs=10), "few-steps")[0]
    assert "15,000 steps" in messages(plan(dataset(300), repeats=10, epochs=10), "many-steps")[0]
    assert messages(plan(dataset(100), repeats=10, epochs=10), "many-steps") == []
    doubled = plan(dataset(100, others=100), repeats=10, epochs=10)
    assert "10,000 steps" in messages(doubled, "many-steps")[0]
    assert "regularization images included" in messages(doubled, "many-steps")[0]
    for count in (1, 3, 20, 300, 3000):
        made = plan(dataset(count, others=5))
        assert [each.code for each in made.problems if each.code in {"few-steps", "many-steps"}] == []


def test_large_batches_need_fewer_steps():
    assert messages(plan(dataset(20), batch_size=16), "few-steps") == []


def test_the_share_of_regularization_is_said_for_each_trainer():
    data = dataset(16, others=9)
    assert "get 50% of" in messages(plan(data, repeats=10, epochs=1), "regularization-share")[0]
    small = messages(plan(data, "onetrainer", repeats=10, epochs=1, batch_size=1), "regularization-share")[0]
    assert "get 5% of the 169 steps" in small
    assert "About 18 regularization repeats" in small
    assert messages(plan(dataset(16)), "regularization-share") == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"learning_rate": 1.0}, "1 is very high for AdamW8bit"),
        ({"learning_rate": 0.01}, "0.01 is very high"),
        ({"learning_rate": 1e-7}, "1e-07 is very low"),
        ({"text_encoder_learning_rate": 0.5}, "text encoder learning rate 0.5 is very high"),
        ({"optimizer": "Prodigy", "learning_rate": 100.0}, "100 is high for Prodigy"),
        ({"optimizer": "Prodigy", "learning_rate": 1e-4}, "finds its rate itself"),
    ],
)
def test_learning_rates_out_of_range_for_the_optimizer_are_doubted(given, said):
    assert any(said in each for each in checks.doubts(make_config(given)))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"learning_rate": 1e-3},
        {"learning_rate": 1e-6},
        {"optimizer": "Prodigy"},
        {"optimizer": "SGDNesterov", "learning_rate": 0.1},
    ],
)
def test_usual_learning_rates_are_not_doubted(given):
    assert [each for each in checks.doubts(make_config(given)) if "learning rate" in each] == []
