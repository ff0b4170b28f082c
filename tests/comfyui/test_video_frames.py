"""Video models draw single frames in a real ComfyUI, which is what a test grid of a LoRA needs of them."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]
SCRIPT = Path(__file__).parent / "video_frames.py"


def test_comfyui_draws_one_frame_of_wan_and_of_hunyuan_video(comfyui):
    folder, python = comfyui
    ended = subprocess.run([python, SCRIPT, folder], check=True, capture_output=True)
    assert json.loads(ended.stdout.decode().strip().rpartition("\n")[2]) == {
        "wan21": ["WAN21_T2V", [1, 16, 1, 8, 16]],
        "wan22_5b": ["WAN22_T2V", [1, 48, 1, 4, 8]],
        "hunyuan_video": ["HunyuanVideo", [1, 16, 1, 8, 16]],
    }
