"""The files of a published tokenizer, from a directory or the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError

from plm_components.errors import TokenizerError
from plm_components.untrusted import expanded, is_file, parse_json, read_text, reason

_TOKENIZER = "tokenizer.json"
_CONFIG = "tokenizer_config.json"
_GENERATION = "generation_config.json"
_TEMPLATE = "chat_template.jinja"
_OLD_TEMPLATE = "chat_template.json"
# the largest published tokenizer.json has about 35 MB
MAX_TOKENIZER_BYTES = 64 * 2**20
MAX_CONFIG_BYTES = 8 * 2**20


@dataclass(frozen=True)
class TokenizerFiles:
    """What the files say.

    Args:
        tokenizer_json: Text of ``tokenizer.json``.
        config: ``tokenizer_config.json``; empty where there is none.
        generation: ``generation_config.json``; empty where there is none.
        chat_template: Jinja source, or None.
    """

    tokenizer_json: str
    config: dict[str, Any]
    generation: dict[str, Any]
    chat_template: str | None


def read_tokenizer_files(path: str) -> TokenizerFiles:
    """Reads the files, from the hub's cache or network where ``path`` is no directory here.

    Raises:
        TokenizerError: a file that is missing, cannot be had, or is no JSON.
    """
    tokenizer = _find(path, _TOKENIZER)
    if tokenizer is None:
        raise _no_tokenizer(path)
    config = _json(_find(path, _CONFIG))
    return TokenizerFiles(
        _text(tokenizer, MAX_TOKENIZER_BYTES),
        config,
        _json(_find(path, _GENERATION)),
        _chat_template(path, config),
    )


def tokenizer_file_at_hand(path: str) -> bool:
    """Whether ``tokenizer.json`` is on this machine; never touches a network."""
    if _is_local(path):
        return is_file(expanded(path) / _TOKENIZER)
    try:
        return isinstance(try_to_load_from_cache(path, _TOKENIZER), str)
    except HFValidationError:
        return False


def local_tokenizer_files(path: str) -> list[Path]:
    """Those of the files that lie in a directory here; none for a hub id."""
    if not _is_local(path):
        return []
    names = (_TOKENIZER, _CONFIG, _GENERATION, _TEMPLATE, _OLD_TEMPLATE)
    files = (expanded(path) / name for name in names)
    return [file for file in files if is_file(file)]


def _is_local(path: str) -> bool:
    looks_local = path.startswith((".", "/", "~"))
    try:
        return looks_local or expanded(path).exists()
    except (OSError, ValueError):
        return False


def _find(path: str, name: str) -> Path | None:
    """The file, or None where the directory or repository has no such file."""
    if _is_local(path):
        file = expanded(path) / name
        return file if is_file(file) else None
    try:
        return Path(hf_hub_download(path, name))
    except LocalEntryNotFoundError as error:
        # no answer from the network, and nothing in the cache
        if name == _TOKENIZER:
            raise _not_reachable(path, error) from error
        return None
    except EntryNotFoundError:
        return None
    # the hub's client raises its own errors, the network's, and OSError
    except Exception as error:
        raise _not_reachable(path, error) from error


def _json(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        value = parse_json(_text(file, MAX_CONFIG_BYTES))
    except ValueError as error:
        if isinstance(error, TokenizerError):
            raise
        raise _damaged(file, reason(error)) from error
    if not isinstance(value, dict):
        raise _damaged(file, f"it holds a {type(value).__name__}")
    return value


def _text(file: Path, max_bytes: int) -> str:
    try:
        return read_text(file, max_bytes)
    except (OSError, ValueError) as error:
        raise _damaged(file, reason(error)) from error


def _chat_template(path: str, config: dict[str, Any]) -> str | None:
    file = _find(path, _TEMPLATE)
    if file is not None:
        return _text(file, MAX_CONFIG_BYTES)
    template = _json(_find(path, _OLD_TEMPLATE)).get("chat_template")
    template = template or config.get("chat_template")
    if isinstance(template, list):
        entries = (entry for entry in template if isinstance(entry, dict))
        defaults = [e.get("template") for e in entries if e.get("name") == "default"]
        template = defaults[-1] if defaults else None
    return template if isinstance(template, str) else None


def _damaged(file: Path, why: str) -> TokenizerError:
    return TokenizerError(
        f"A tokenizer file cannot be read: {why}.",
        where=str(file),
        expected="a template in UTF-8" if file.suffix == ".jinja" else "a JSON object in UTF-8",
        fix="fetch the file again",
    )


def _no_tokenizer(path: str) -> TokenizerError:
    return TokenizerError(
        f"There is no {_TOKENIZER} to read.",
        where=path,
        expected=f"a directory or a hub repository with {_TOKENIZER} (a fast tokenizer)",
        fix="set tokenizer.path to such a directory, or write one with "
        "AutoTokenizer.from_pretrained(…).save_pretrained(DIRECTORY)",
    )


def _not_reachable(path: str, error: Exception) -> TokenizerError:
    first_line = (str(error).splitlines() or [""])[0]
    return TokenizerError(
        f"The tokenizer cannot be fetched ({type(error).__name__}: {first_line}).",
        where=path,
        expected=f"a directory with {_TOKENIZER}, or a hub repository within reach",
        fix=f"check the name and the network (and hf auth login, if it is gated), or fetch it "
        f"elsewhere and set tokenizer.path to the directory: hf download {path}",
    )
