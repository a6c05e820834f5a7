"""Reads the configuration of a vision tower of transformers, and refuses in one error."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig
from transformers.image_processing_utils import BaseImageProcessor

from plm_components.errors import UnsupportedError
from plm_components.vision_encoders.hf_families import FAMILIES, NAFLEX, TWO_TOWERS
from plm_components.vision_encoders.pixels import bad_option

ADDRESS = "vision_encoder/hf"


def tower_config(path: str | None, config: Mapping[str, Any] | None) -> Any:
    """The configuration of the vision tower alone.

    Raises:
        SpecError: not exactly one of both is given, or what is given is no configuration.
        UnsupportedError: the tower is of no family that is known here.
    """
    if (path is None) == (config is None):
        raise bad_option(
            "A transformers tower needs a path or a config, and not both.",
            where=ADDRESS,
            option="path or config",
            expected="exactly one of them",
            fix="set vision_encoder.path or vision_encoder.config",
        )
    if path is not None:
        return _tower_of(_read(path))
    return _tower_of(_inline(dict(config or {}), "config"))


def _read(path: str) -> Any:
    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, StrictDataclassError) as error:
        raise bad_option(
            f"No configuration can be read from {path}: {_first_line(error)}",
            where=ADDRESS,
            option="path",
            expected="a local directory with config.json, or a hub id",
            fix="correct the path, or give the configuration inline as config",
        ) from error


def _inline(config: dict[str, Any], where: str) -> Any:
    model_type = config.pop("model_type", None)
    if model_type in NAFLEX:
        raise _refuse_naflex(model_type)
    if model_type not in FAMILIES and model_type not in TWO_TOWERS:
        raise _unknown_family(model_type)
    if model_type in TWO_TOWERS:
        vision = {"model_type": TWO_TOWERS[model_type], **dict(config.get("vision_config") or {})}
        return _inline(vision, f"{where}.vision_config")
    _refuse_unknown_keys(config, AutoConfig.for_model(model_type), where)
    try:
        return AutoConfig.for_model(model_type, **config)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise bad_option(
            f"transformers refuses this {model_type} configuration: {_last_line(error)}",
            where=ADDRESS,
            option=where,
            expected=f"values that {model_type} takes",
            fix="correct the value that transformers names",
        ) from error


def _refuse_unknown_keys(config: Mapping[str, Any], known: Any, where: str) -> None:
    # transformers would keep a misspelt key as an attribute that nothing reads
    for key in config:
        if not hasattr(known, key):
            near = get_close_matches(key, known.to_dict(), n=1)
            raise bad_option(
                f"A {known.model_type} configuration has no key {key!r}.",
                where=ADDRESS,
                option=f"{where}.{key}",
                expected=f"keys of {type(known).__name__}",
                fix=f"did you mean {near[0]}?" if near else f"delete {where}.{key}",
            )


def _tower_of(config: Any) -> Any:
    if config.model_type in NAFLEX:
        raise _refuse_naflex(config.model_type)
    if config.model_type in TWO_TOWERS:
        config = config.vision_config
    if config.model_type not in FAMILIES:
        raise _unknown_family(config.model_type)
    if not isinstance(config.image_size, int):
        raise bad_option(
            f"image_size is {config.image_size}, which is no square tile.",
            where=ADDRESS,
            option="config.image_size",
            expected="the side of a tile, in pixels",
            fix="give the configuration inline, with one number for image_size",
        )
    return config


def _unknown_family(model_type: object) -> UnsupportedError:
    return UnsupportedError(
        f"{model_type!r} is no vision tower that this encoder knows.",
        where=f"{ADDRESS}, option config.model_type",
        expected=f"one of: {', '.join(sorted([*FAMILIES, *TWO_TOWERS]))}",
        fix="choose one of these, or a timm backbone (vision_encoder=timm)",
    )


def _refuse_naflex(model_type: str) -> UnsupportedError:
    return UnsupportedError(
        f"{model_type!r} is the NaFlex SigLIP 2, which takes flattened patches, not tiles.",
        where=f"{ADDRESS}, option config.model_type",
        expected="a fixed-resolution SigLIP 2, whose model_type is siglip",
        fix="choose a checkpoint with its resolution in its name, say siglip2-so400m-patch14-384",
    )


def published_normalisation(
    path: str | None, model_type: str
) -> tuple[tuple[float, float, float], tuple[float, float, float], str]:
    """Mean, standard deviation, and where they come from.

    The checkpoint's own preprocessor configuration wins; else the family's published values.
    """
    if path is not None:
        try:
            stored, _ = BaseImageProcessor.get_image_processor_dict(path)
            return _three(stored["image_mean"]), _three(stored["image_std"]), f"files of {path}"
        except (OSError, KeyError, TypeError):
            pass
    mean, std = FAMILIES[model_type].normalisation
    return mean, std, f"published values of {model_type}"


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip() if str(error) else type(error).__name__
