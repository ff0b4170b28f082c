"""ComfyUI's folders: a test sets `base`."""

base = None


def get_input_directory():
    return str(base / "input")


def get_output_directory():
    return str(base / "output")


def get_filename_list(folder_name):
    there = sorted(file.name for file in (base / "models" / folder_name).glob("*.safetensors"))
    return [f"a model of {folder_name}.safetensors", *there]


def get_full_path_or_raise(folder_name, filename):
    return str(base / "models" / folder_name / filename)


def get_folder_paths(folder_name):
    return [str(base / "models" / folder_name)]
