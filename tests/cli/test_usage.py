"""The grammar: help, near misses, exit codes, interruptions."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plm_components import cli
from plm_components.cli.parser import COMMANDS


def test_help_names_every_command(plm) -> None:
    outcome = plm("--help")

    assert outcome.code == 0
    assert all(f"\n    {name} " in outcome.out for name in COMMANDS)


def test_nothing_at_all_is_a_call_for_help(plm) -> None:
    assert plm() == plm("--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(plm, command: str) -> None:
    outcome = plm(command, "--help")

    assert outcome.code == 0
    assert outcome.out.startswith(f"usage: plm {command} ")
    assert outcome.err == ""


def test_the_version_is_the_package_s(plm) -> None:
    assert plm("--version").out == "plm_components 0.1.0\n"


def test_an_unknown_command_is_told_the_nearest(plm) -> None:
    outcome = plm("lst")

    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err == (
        "Unknown command 'lst'.\n"
        "  where:    plm\n"
        "  expected: one of: list, show, check, licenses, graft, ask, demo, export, bench, "
        "plugins, doctor\n"
        "  fix:      did you mean list?\n"
    )


def test_an_unknown_option_is_told_the_nearest(plm) -> None:
    outcome = plm("ask", "plm-tiny", "what is there?", "--imge", "x.png")

    assert outcome.code == 2
    assert outcome.err.startswith("Unknown option '--imge'.\n")
    assert outcome.err.endswith("  fix:      did you mean --image or --images?\n")


def test_options_are_never_abbreviated(plm) -> None:
    assert plm("list", "--jso").err.startswith("Unknown option '--jso'.\n")


def test_an_option_before_its_command_is_told_its_place(plm) -> None:
    assert plm("--json", "list") == (
        2,
        json.dumps(
            {
                "error": {
                    "what": "The option '--json' stands before its command.",
                    "where": "plm",
                    "expected": "options behind the command they belong to",
                    "fix": "plm list --json",
                }
            },
            indent=2,
        )
        + "\n",
        "The option '--json' stands before its command.\n"
        "  where:    plm\n"
        "  expected: options behind the command they belong to\n"
        "  fix:      plm list --json\n",
    )


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("ask", "plm-tiny"), "The following arguments are required: question."),
        (("ask", "plm-tiny", "what?", "more"), "'more' is no override."),
        (("list", "projector", "linear"), "Unexpected argument 'linear'."),
        (("ask", "plm-tiny", "what?", "--seed", "x"), "Argument --seed: invalid int value: 'x'."),
        (("--json",), "A command is missing."),
    ],
)
def test_wrong_usage_is_exit_code_2(plm, words: tuple[str, ...], what: str) -> None:
    outcome = plm(*words)

    assert outcome.code == (1 if "override" in what else 2)
    assert outcome.err.splitlines()[0] == what


def test_a_plugin_may_be_offered_on_either_side_of_the_command(plm, tmp_path: Path) -> None:
    part = tmp_path / "my_part.py"
    part.write_text(
        "from plm_components import Component\n"
        "def plm_register_components():\n"
        "    yield Component('projector', 'mine', 'my_part:Mine')\n"
    )

    before = plm("--plugin", str(part), "list", "projector")
    after = plm("list", "projector", "--plugin", str(part))

    assert before == after
    assert "projector/mine" in before.out
    assert "projector/mine" not in plm("list", "projector").out


def test_the_traceback_is_there_for_who_asks(plm) -> None:
    with pytest.raises(cli.UsageError):
        cli.main(["lst", "--traceback"])


def test_an_error_of_the_operating_system_has_four_fields(
    plm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(words: object) -> None:
        raise PermissionError(13, "Permission denied", "/locked")

    monkeypatch.setattr(cli, "parse", refuse)

    assert plm("list") == (
        1,
        "",
        "Permission denied.\n"
        "  where:    /locked\n"
        "  expected: a file or folder that can be read or written\n"
        "  fix:      check the path, its permissions and the space left on the disk\n",
    )


def _process(*words: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "plm_components", *words]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_a_closed_pipe_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with _process("list", stdout=writer) as process:
        os.close(writer)
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() == 141


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise on Windows")
def test_ctrl_c_leaves_without_a_traceback(tmp_path: Path) -> None:
    # a part file that waits: the command is surely running when the signal comes
    ready = tmp_path / "ready"
    part = tmp_path / "waits.py"
    part.write_text(f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(30)\n")
    # a shell's background job ignores the signal, and hands that down to what it starts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = _process("--plugin", str(part), "list", stdout=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, before)
    with process:
        deadline = time.monotonic() + 20
        while not ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == "\ninterrupted\n"
        assert process.wait() == 130


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from plm_components.cli import main; main(['list']);"
        "heavy = {'torch', 'numpy', 'PIL', 'av', 'transformers', 'timm', 'omegaconf', 'rich'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.stderr == ""
    assert run.returncode == 0


def test_listing_is_quick() -> None:
    # processor time: what else the machine is doing does not count
    def once() -> float:
        before = os.times()
        command = [sys.executable, "-m", "plm_components", "list"]
        subprocess.run(command, capture_output=True, check=True)
        after = os.times()
        return (after.children_user + after.children_system) - (
            before.children_user + before.children_system
        )

    assert statistics.median(once() for _ in range(5)) < 0.4
