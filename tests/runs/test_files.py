"""LoRA files, logs, reasons and statuses: what is read from disks that may hold anything."""

import dataclasses
import json
import struct
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from lorads_core.base_models import family
from lorads_core.errors import TrainerError
from lorads_core.model import Run
from lorads_core.runs import run_folder as files
from lorads_core.runs.failure_reasons import failure_reason, signed
from lorads_core.runs.follow import Follower
from lorads_core.runs.install_lora import find_lora, install_lora
from lorads_core.runs.log import Lines, Log, tail
from lorads_core.runs.lora_file import find_nonfinite_tensor, read_lora, without_local_paths
from lorads_core.runs.outcome import determine_outcome, saved_loras

from ..standin_trainer import write_lora


@pytest.fixture
def lora(tmp_path):
    write_lora(tmp_path / "tom.safetensors", 16)
    return tmp_path / "tom.safetensors"


@pytest.fixture
def run(tmp_path):
    return Run(
        id=uuid4(),
        name="Tom",
        trainer="sd-scripts",
        profile="local",
        manifest_hash="ab" * 32,
        dataset_id=None,
        folder=tmp_path,
        output=tmp_path,
        state="completed",
        loras=("tom.safetensors",),
    )


def test_rank_and_metadata_are_read_from_the_header(lora):
    found = read_lora(lora)
    assert found.ranks == {16}
    assert found.metadata["ss_network_dim"] == "16"
    assert find_nonfinite_tensor(found) == ""


@pytest.mark.parametrize("kept", [0, 4, 8, 20, 300, -1])
def test_a_lora_that_is_cut_off_is_refused(lora, kept):
    lora.write_bytes(lora.read_bytes()[:kept])
    with pytest.raises(TrainerError, match=r"cut off|not a safetensors file"):
        read_lora(lora)


@pytest.mark.parametrize(
    "header",
    [b"[]", b"{", b'{"a": 3}', b'{"a": {"dtype": "F32"}}',
     b'{"a": {"data_offsets": [4, 0], "shape": [], "dtype": "F32"}}',
     b'{"__metadata__": 3}', b'{"a": {"data_offsets": "xy", "shape": [], "dtype": "F32"}}', b"\xff\xfe",
     b"[" * 1_000_000, b'{"a":' * 100_000, b'{"__metadata__": ' + b"[" * 100_000,
     b'{"a": {"data_offsets": [0, 0.5], "shape": [], "dtype": "F32"}}',
     b'{"a": {"data_offsets": [0, 1e400], "shape": [], "dtype": "F32"}}',
     b'{"a": {"data_offsets": [-4, 4], "shape": [], "dtype": "F32"}}',
     b'{"a": {"data_offsets": [0, 36893488147419103232], "shape": [], "dtype": "F32"}}',
     b'{"a": {"data_offsets": [0, 4], "shape": [1.0], "dtype": "F32"}}',
     b'{"a": {"data_offsets": [0, 4], "shape": {"0": 1}, "dtype": "F32"}}',
     b'{"a": {"data_offsets": [0, 4], "shape": [true], "dtype": "F32"}}',
     b'{"a": {"data_offsets": [0, 4], "shape": [1], "dtype": 5}}',
     b'{"a": {"data_offsets":[0, 4], "shape": [], "dtype":""}, "b": {"data_offsets":[2, 6], "shape": [], "dtype":""}}'],
    ids=lambda header: header[:60].decode("latin-1"),
)  # fmt: skip
def test_a_damaged_header_is_refused(tmp_path, header):
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(TrainerError, match="not a safetensors file"):
        read_lora(file)


def test_a_lora_of_no_sides_has_no_rank(tmp_path):
    header = b'{"x.lora_down.weight": {"data_offsets": [0, 0], "shape": [], "dtype": "F32"}}'
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(TrainerError, match="holds no LoRA"):
        read_lora(file)


def test_metadata_that_is_nested_without_end_has_no_paths_left_in_it():
    assert without_local_paths("[" * 100_000) == ""


def test_a_header_of_a_size_that_nobody_has_is_not_read(tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    with pytest.raises(TrainerError, match="not a safetensors file"):
        read_lora(file)


def test_a_checkpoint_is_no_lora(tmp_path):
    header = json.dumps({"model.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    with pytest.raises(TrainerError, match="holds no LoRA"):
        read_lora(file)


@pytest.mark.parametrize(
    ("name", "shape", "rank"),
    [
        ("lora_unet_x.lora_down.weight", [8, 320], 8),
        ("unet.x.lora_A.weight", [4, 320], 4),
        ("transformer.x.lora_A.default.weight", [4, 320], 4),
        ("lora_unet_x.hada_w1_b", [6, 320], 6),
        ("lora_unet_conv.lora_down.weight", [2, 320, 3, 3], 2),
    ],
)
def test_the_rank_of_each_kind_of_network(tmp_path, name, shape, rank):
    size = int(np.prod(shape)) * 2
    header = json.dumps({name: {"dtype": "BF16", "shape": shape, "data_offsets": [0, size]}}).encode()
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * size)
    assert read_lora(file).ranks == {rank}


@pytest.mark.parametrize(("dtype", "bits"), [("F16", "<H"), ("BF16", "<H"), ("F32", "<I")])
@pytest.mark.parametrize("spoilt", [True, False])
def test_values_that_are_no_numbers_are_found(tmp_path, dtype, bits, spoilt):
    one, nan = {"F16": (0x3C00, 0x7E00), "BF16": (0x3F80, 0xFFC0), "F32": (0x3F800000, 0x7FC00000)}[dtype]
    values = [one] * 63 + [nan if spoilt else one]
    data = b"".join(struct.pack(bits, value) for value in values)
    header = json.dumps({"x.lora_down.weight": {"dtype": dtype, "shape": [4, 16], "data_offsets": [0, len(data)]}})
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header.encode() + data)
    assert find_nonfinite_tensor(read_lora(file)) == ("x.lora_down.weight" if spoilt else "")


def tensors(file):
    lora = read_lora(file)
    data = file.read_bytes()[lora.data_start :]
    return {name: data[slice(*each["data_offsets"])] for name, each in lora.tensors.items()}


def test_an_offered_lora_is_the_same_with_more_metadata(lora, run, tmp_path):
    before = lora.read_bytes()
    target = install_lora(run, lora, tmp_path / "loras", trigger="tom, cat").file
    assert target == tmp_path / "loras" / "Tom.safetensors"
    assert tensors(target) == tensors(lora)
    assert lora.read_bytes() == before
    metadata = read_lora(target).metadata
    assert metadata["modelspec.trigger_phrase"] == metadata["lorads.trigger"] == "tom, cat"
    assert metadata["lorads.run"] == str(run.id)
    assert metadata["lorads.dataset_version"] == run.manifest_hash
    assert metadata["ss_network_dim"] == "16"
    assert read_lora(target).data_start % 8 == 0
    others, ours = load_file(lora), load_file(target)  # safetensors' own reader
    assert list(others) == list(ours)
    assert all((others[name] == ours[name]).all() for name in others)


def test_the_same_lora_is_offered_once_and_another_never_replaces_it(lora, run, tmp_path):
    first = install_lora(run, lora, tmp_path / "loras")
    assert install_lora(run, lora, tmp_path / "loras") == first
    other = install_lora(dataclasses.replace(run, id=uuid4()), lora, tmp_path / "loras")
    assert other.file.name == "Tom-2.safetensors"
    assert sorted(path.name for path in (tmp_path / "loras").iterdir()) == ["Tom-2.safetensors", "Tom.safetensors"]


@pytest.mark.posix
def test_what_lies_under_the_name_stays(lora, run, tmp_path):
    (tmp_path / "loras").mkdir()
    mine = tmp_path / "loras" / "Tom.safetensors"
    mine.write_text("mine")
    (tmp_path / "loras" / "Tom-2.safetensors").symlink_to("/nowhere")
    assert install_lora(run, lora, tmp_path / "loras").file.name == "Tom-3.safetensors"
    assert mine.read_text() == "mine"


def test_a_link_costs_no_space(lora, run, tmp_path):
    target = install_lora(run, lora, tmp_path / "loras", link=True)
    assert target == (tmp_path / "loras" / "Tom.safetensors", "", None)
    assert target.file.samefile(lora)
    assert install_lora(run, lora, tmp_path / "loras", link=True) == target
    with pytest.raises(TrainerError, match="keeps its metadata"):
        install_lora(run, lora, tmp_path / "loras", link=True, without_paths=True)


def test_where_no_link_can_be_made_the_lora_is_copied_and_that_is_said(lora, run, tmp_path, faulty, monkeypatch):
    faulty.refuse("link", winerror=faulty.ACCESS_DENIED)
    faulty.refuse("symlink", winerror=faulty.NO_PRIVILEGE)
    monkeypatch.setattr("lorads_core.runs.install_lora.sys.platform", "linux")
    offered = install_lora(run, lora, tmp_path / "loras", link=True)
    assert not offered.file.samefile(lora)
    assert read_lora(offered.file).metadata["lorads.run"] == str(run.id)
    assert offered.message == "It was copied: no link can be made between these two drives."
    monkeypatch.setattr("lorads_core.runs.install_lora.sys.platform", "win32")
    again = install_lora(run, lora, tmp_path / "loras", link=True)
    assert again.file == offered.file
    assert "Developer Mode" in again.message


def test_a_lora_that_comfyui_has_loaded_is_offered_again(lora, run, tmp_path, faulty):
    target = install_lora(run, lora, tmp_path / "loras", trigger="tom").file
    with faulty.held_open(target):
        assert install_lora(run, lora, tmp_path / "loras", trigger="tom").file == target
        before = target.read_bytes()
        with pytest.raises(TrainerError, match=r"cannot be written to .* open in another program"):
            install_lora(run, lora, tmp_path / "loras", trigger="cat")
    assert target.read_bytes() == before
    assert [each.name for each in target.parent.iterdir()] == [target.name]
    faulty.refuse("replace", times=2)
    install_lora(run, lora, tmp_path / "loras", trigger="cat")
    assert read_lora(target).metadata["lorads.trigger"] == "cat"


def test_a_lora_that_a_scanner_looks_at_is_read_a_moment_later(lora, faulty):
    faulty.refuse("read", times=2, winerror=faulty.SHARING_VIOLATION)
    assert read_lora(lora).ranks == {16}
    faulty.refuse("read", winerror=faulty.SHARING_VIOLATION)
    with pytest.raises(TrainerError, match=r"cannot be read: it is open in another program .*close it"):
        read_lora(lora)


@pytest.mark.parametrize("name", ["../../etc/x", "con", "a/b\\c", "ü" * 300, ""])
def test_a_name_is_made_safe(lora, run, tmp_path, name):
    target = install_lora(run, lora, tmp_path / "loras", name=name).file
    assert target.parent == tmp_path / "loras"
    assert target.name.isascii()


def test_local_paths_can_be_left_out(lora, run, tmp_path):
    target = install_lora(run, lora, tmp_path / "loras", without_paths=True).file
    metadata = read_lora(target).metadata
    assert metadata["ss_sd_model_name"] == "base.safetensors"
    assert json.loads(metadata["ss_dataset_dirs"]) == {"10_tom": {"n_repeats": 10, "path": "tom"}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (r"C:\Users\anna\model.safetensors", "model.safetensors"),
        (r"\\server\share\x", "x"),
        ("/a/b/", "b"),
        ("1/2", "1/2"),
        ("a, b/c", "a, b/c"),
        ('["/home/anna/x.png", 1, null]', '["x.png", 1, null]'),
        ("", ""),
        ("3", "3"),
    ],
)
def test_paths_become_names(value, said):
    assert without_local_paths(value) == said


def test_a_folder_that_cannot_be_written_is_said(lora, run, tmp_path):
    (tmp_path / "loras").write_text("a file")
    with pytest.raises(TrainerError, match=r"cannot be written to .*loras"):
        install_lora(run, lora, tmp_path / "loras")


def test_a_lora_is_chosen_by_a_part_of_its_name(run):
    several = dataclasses.replace(run, loras=("Tom-000001.safetensors", "Tom-000002.safetensors", "Tom.safetensors"))
    assert find_lora(several).name == "Tom.safetensors"
    assert find_lora(several, "000001").name == "Tom-000001.safetensors"
    with pytest.raises(TrainerError, match="there are: Tom-000001"):
        find_lora(several, "000007")
    with pytest.raises(TrainerError, match="has saved no LoRA yet"):
        find_lora(dataclasses.replace(run, loras=(), state="running"))


@pytest.mark.parametrize(
    ("state", "message", "sentence"),
    [
        ("failed", "The trainer said nothing", "The training of tom has failed. The trainer said nothing."),
        ("cancelled", "It was stopped.", "The training of tom was cancelled. It was stopped."),
        ("running", "", "The training of tom is running."),
    ],
)
def test_how_a_run_ended_is_said_in_whole_sentences(run, state, message, sentence):
    assert dataclasses.replace(run, name="tom", state=state, message=message).sentence == sentence


def lines_of(*chunks):
    lines = Lines()
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.feed(b"", last=True)


def test_lines_are_split_where_bars_are_drawn_over_and_cleaned():
    assert lines_of(b"a\r\nb\x1b[31mred\x1b[0m\rc\x00d\n", b"\n", "é".encode()[:1], "é".encode()[1:]) == [
        ("a", True), ("bred", False), ("cd", True), ("é", True),
    ]  # fmt: skip


def test_a_line_without_end_is_cut():
    found = lines_of(*[b"x" * 65_536] * 40)
    assert all(len(text) <= 16_384 for text, _ in found)


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_any_bytes_become_lines_however_they_come(chunks):
    whole = lines_of(b"".join(chunks))
    assert [text for text, _ in lines_of(*chunks)] == [text for text, _ in whole]


def test_a_log_keeps_its_beginning_and_its_end(tmp_path):
    log = Log(tmp_path)
    for number in range(300):
        log.write([(f"{number:06d} " + "x" * 90, True)] * 1000)
    log.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 13 * 2**20
    assert (tmp_path / "log.txt").read_text().startswith("000000")
    assert {path.name for path in tmp_path.iterdir()} == {"log.txt", "log-end.txt", "log-end-before.txt"}
    assert tail(tmp_path)[-1].startswith("000299")
    assert len(tail(tmp_path)) == 200


def test_a_bar_is_logged_before_what_follows_it(tmp_path):
    log = Log(tmp_path)
    log.write([("1/9", False)])  # the first is shown at once, the others wait
    log.write([("2/9", False), ("3/9", False)])
    log.write([("epoch 2", True)])
    log.write([("9/9", False)])
    log.close()
    assert tail(tmp_path) == ["1/9", "3/9", "epoch 2", "9/9"]


def test_a_log_that_somebody_reads_goes_on_and_loses_nothing(tmp_path, faulty):
    log = Log(tmp_path)
    with faulty.held_open(tmp_path / "log-end.txt"), faulty.held_open(tmp_path / "log-end-before.txt"):
        for number in range(300):
            log.write([(f"{number:06d} " + "x" * 90, True)] * 1000)
    assert tail(tmp_path)[-1].startswith("000299")
    faulty.refuse("write", times=3)
    for number in range(300, 304):
        log.write([(f"{number:06d}", True)])
    assert tail(tmp_path)[-4:] == ["000300", "000301", "000302", "000303"]
    faulty.refuse("read", times=2)
    assert tail(tmp_path)[-1] == "000303"


def test_a_full_disk_stops_no_log(tmp_path):
    log = Log(tmp_path / "gone")
    log.write([("a", True)])
    assert tail(tmp_path / "gone") == []


TRACE = """Traceback (most recent call last):
  File "x.py", line 3, in <module>
    f()
"""


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (f"{TRACE}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", 1, "ran out of memory"),
        (f"{TRACE}ModuleNotFoundError: No module named 'lycoris.kohya'", 1, "no module lycoris.kohya"),
        ("python: can't open file '/x/train.py': [Errno 2] No such file or directory", 2, "There is no /x/train.py"),
        (f"{TRACE}FileNotFoundError: [Errno 2] No such file or directory: '/m/b.safetensors'", 1, "/m/b.safetens"),
        (f"{TRACE}PermissionError: [Errno 13] Permission denied: '/m/out'", 1, "/m/out may not be"),
        (f"{TRACE}OSError: [Errno 28] No space left on device", 1, "disk is full"),
        (f"{TRACE}ImportError: No bitsandbytes / bitsandbytes\u304c\u30a4\u30f3\u30b9\u30c8\u30fc\u30eb", 1, "bitsandbytes is missing"),  # noqa: E501
        (f"{TRACE}AssertionError: Torch not compiled with CUDA enabled", 1, "cannot use the graphics card"),
        (f"{TRACE}huggingface_hub.errors.GatedRepoError: 403 Client Error", 1, "not free to download"),
        ("train.py: error: unrecognized arguments: --foo 3", 2, "does not know: --foo 3"),
        (f"{TRACE}ValueError: network_dim must be more\nsteps: 0%", 1, "exit code 1: ValueError: network_dim must be"),
        (f"[rank0]: {TRACE}[rank0]: KeyError: 'x'", 1, "KeyError: 'x'"),
        ("something odd", 5, "exit code 5; its last line: something odd"),
        ("", 0, "exit code 0 and said nothing"),
        pytest.param("", -9, "want of memory", marks=pytest.mark.posix),
        pytest.param("bye", -11, "SIGSEGV; its last line: bye", marks=pytest.mark.posix),
        ("", 3221225477, "exit code 0xC0000005 (access violation"),
        ("", -1073741819, "exit code 0xC0000005 (access violation"),
        ("bye", 3221225786, "0xC000013A (ended by Ctrl-C, Ctrl-Break or a closed console); its last line: bye"),
        ("", 3221226505, "0xC0000409 (fail fast"),
        ("", 3221225725, "0xC00000FD (stack overflow"),
        ("", 3221225781, "0xC0000135 (a DLL was not found"),
        ("", 3221225794, "0xC0000142 (a DLL could not be initialized"),
        ("", None, "The trainer ended and said nothing"),
    ],
)  # fmt: skip
def test_the_reason_is_one_sentence(lines, code, said):
    assert said in failure_reason(lines.splitlines(), code)


@pytest.mark.parametrize(("code", "stored"), [(0, 0), (1, 1), (-9, -9), (3221225477, -1073741819)])
def test_an_exit_code_of_windows_becomes_one_that_a_database_takes(code, stored):
    assert signed(code) == stored


ORDER = files.Order(
    trainer="onetrainer",
    argv=("x",),
    cwd="/",
    output="/",
    checkpoints=("a.safetensors",),
    rank=4,
    total_steps=30,
    epochs=3,
)


def test_an_order_and_a_status_come_back_as_they_were(tmp_path):
    files.write_order(tmp_path, ORDER)
    assert files.read_order(tmp_path) == ORDER
    status = files.Status("running", files.Process(3, 1.5), None, 4, 30, 1, 0.5, loras=("a",), started=2.0)
    files.write_status(tmp_path, status)
    assert files.read_status(tmp_path) == status
    files.write_history(tmp_path, [files.Point(1, 0.5, 0.2, None)])
    assert files.read_history(tmp_path) == [files.Point(1, 0.5, 0.2, None)]


def test_an_order_of_a_former_version_is_read(tmp_path):
    files.write_order(tmp_path, ORDER)
    values = json.loads((tmp_path / files.ORDER).read_text(encoding="utf-8"))
    del values["key_prefixes"], values["family"]
    (tmp_path / files.ORDER).write_text(json.dumps(values), encoding="utf-8")
    assert files.read_order(tmp_path) == ORDER


@pytest.mark.parametrize(
    ("base", "state"), [("sdxl", "completed"), ("sd15", "completed"), ("flux", "completed"), (None, "failed")]
)
def test_a_lora_of_whose_keys_comfyui_loads_none_is_not_sound(tmp_path, base, state):
    write_lora(tmp_path / "a.safetensors", 4)
    prefixes = family(base).lora_prefixes if base else ("transformer.", "lycoris_")
    order = dataclasses.replace(ORDER, output=str(tmp_path), key_prefixes=prefixes)
    found = determine_outcome(order, 0, (), since=0)
    assert found.state == state
    assert ("ComfyUI would load nothing of its LoRA" in found.message) == (state == "failed")


def test_a_lokr_at_full_rank_is_sound_though_it_has_no_rank(tmp_path):
    names = ("lora_unet_x.lokr_w1", "lora_unet_x.lokr_w2", "lora_unet_x.alpha")
    spans = [(0, 32), (32, 64), (64, 66)]
    header = {
        name: {"dtype": "BF16", "shape": [4, 4] if end - begin == 32 else [], "data_offsets": [begin, end]}
        for name, (begin, end) in zip(names, spans, strict=True)
    }
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 66)
    found = read_lora(tmp_path / "a.safetensors")
    assert (found.is_lora, found.ranks) == (True, frozenset())
    assert determine_outcome(dataclasses.replace(ORDER, output=str(tmp_path)), 0, (), since=0).state == "completed"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"state": 3}', '{"points": 3}', "\xff", "\0" * 512])
def test_a_damaged_file_of_a_run_tells_nothing_and_ends_nothing(tmp_path, content):
    assert files.read_status(tmp_path) is None
    for name in (files.ORDER, files.STATUS, files.HISTORY):
        (tmp_path / name).write_text(content, encoding="latin-1")
    rebuilt = files.read_status(tmp_path)
    assert (rebuilt.state, rebuilt.ended, rebuilt.watcher, rebuilt.trainer) == ("running", None, None, None)
    files.write_trainer(tmp_path, files.Process(7, 2.5))
    assert files.read_status(tmp_path).trainer == files.Process(7, 2.5)
    assert files.read_history(tmp_path) == []
    with pytest.raises(TrainerError, match="missing or damaged"):
        files.read_order(tmp_path)


def test_batches_of_an_epoch_become_steps_of_the_training():
    follower = Follower(ORDER)
    follower.read(["epoch:  33%|\u2588 | 1/3 [00:05<00:10,  5.00s/it]"])
    follower.read(["step:  50%|\u2588 | 20/40 [00:04<00:04,  5.00it/s, loss=0.1, smooth loss=0.2]"])
    assert (follower.epoch, follower.step, follower.loss) == (2, 15, 0.2)


def test_a_long_training_keeps_a_history_of_bounded_size():
    follower = Follower(dataclasses.replace(ORDER, trainer="sd-scripts", total_steps=50_000))
    for step in range(1, 50_001):
        follower.read([f"steps:   3%|\u258e | {step}/50000 [00:00<00:04,  7.29it/s, avr_loss=1.28]"])
    assert 2000 <= len(follower.points) <= 4001
    assert follower.points[0].step < 50
    assert follower.points[-1].step > 49_900


def test_a_loss_that_is_no_number_is_none():
    follower = Follower(dataclasses.replace(ORDER, trainer="sd-scripts"))
    follower.read(["steps:   3%|\u258e | 1/32 [00:00<00:04,  7.29it/s, avr_loss=nan]"])
    assert follower.status(files.Status()).loss is None
    assert follower.points[0].loss is None


def test_saved_loras_are_found_by_pattern_and_age(tmp_path):
    output = tmp_path / "out [1]"
    (output / "save").mkdir(parents=True)
    for name in ("save/a-2026-save-8-1-0.safetensors", "save/b-2026-save-8-1-0.safetensors", "a.safetensors"):
        (output / name).touch()
    order = dataclasses.replace(
        ORDER, output=str(output), checkpoints=("save/a-*-save-8-1-0.safetensors", "a.safetensors", "c.safetensors")
    )
    assert saved_loras(order, 0) == ("save/a-2026-save-8-1-0.safetensors", "a.safetensors")
    assert saved_loras(order, Path(output / "a.safetensors").stat().st_mtime + 10) == ()
