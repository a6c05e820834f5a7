"""Where drawings may go, and that they arrive whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from PIL import Image

from plm_components.drawing import picture_target, write_picture
from plm_components.errors import MediaError, UsageError

RED = Image.new("RGB", (12, 8), (200, 30, 30))


def refusal(path: Path | str, **options: object) -> str:
    with pytest.raises(UsageError) as caught:
        picture_target(path, **options)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.webp", "WEBP")]
)
def test_the_name_says_the_format(tmp_path: Path, name: str, kind: str) -> None:
    target = picture_target(tmp_path / name)
    write_picture(RED, target)

    with Image.open(target) as picture:
        assert (picture.format, picture.size) == (kind, (12, 8))
    assert os.listdir(tmp_path) == [name]


def test_a_name_of_no_picture(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.pdf") == (
        "A picture cannot be written as 'a.pdf'.\n"
        f"  where:    {tmp_path / 'a.pdf'}\n"
        "  expected: a name that ends in .png, .jpg, .jpeg, .webp\n"
        f"  fix:      --draw {tmp_path / 'a.png'}"
    )


def test_a_file_is_replaced_only_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("mine")

    assert refusal(path) == (
        "A file stands where the picture would go.\n"
        f"  where:    {path}\n"
        "  expected: a path where nothing stands\n"
        "  fix:      choose another name, or add --overwrite"
    )
    write_picture(RED, picture_target(path, overwrite=True), overwrite=True)
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_a_dangling_link_is_something_that_stands_there(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere.png")
    assert refusal(tmp_path / "a.png").startswith("A file stands where the picture would go.\n")


def test_a_directory(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.mkdir()

    assert refusal(path, overwrite=True) == (
        "A directory stands where the picture would go.\n"
        f"  where:    {path}\n"
        "  expected: the path of a file\n"
        f"  fix:      --draw {path / 'answer.png'}"
    )


def test_the_file_that_is_asked_about_is_never_replaced(tmp_path: Path) -> None:
    RED.save(tmp_path / "photo.png")
    (tmp_path / "link.png").symlink_to("photo.png")

    text = refusal(tmp_path / "link.png", overwrite=True, sources=[tmp_path / "photo.png"])
    assert text == (
        "The picture would replace the file that is asked about.\n"
        f"  where:    {tmp_path / 'link.png'}\n"
        "  expected: another file\n"
        "  fix:      choose another name"
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"

    assert refusal(path) == (
        "The picture's folder does not exist.\n"
        f"  where:    {path}\n"
        "  expected: a folder that is there\n"
        f"  fix:      mkdir -p {tmp_path / 'new'}"
    )


def test_a_folder_that_takes_no_file() -> None:
    assert refusal("/proc/a.png") == (
        "The picture cannot be written: No such file or directory.\n"
        "  where:    /proc/a.png\n"
        "  expected: a folder that may be written to\n"
        "  fix:      choose another"
    )


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    target = picture_target(tmp_path / "a.png")
    target.write_text("mine")

    with pytest.raises(UsageError) as caught:
        write_picture(RED, target)
    assert str(caught.value) == (
        "A file has appeared where the picture would go.\n"
        f"  where:    {target}\n"
        "  expected: nothing there\n"
        "  fix:      ask again under another name"
    )
    assert target.read_text() == "mine"
    assert os.listdir(tmp_path) == ["a.png"]


def test_of_two_that_write_at_once_one_says_so(tmp_path: Path) -> None:
    target, failed = tmp_path / "a.png", []

    def write() -> None:
        try:
            write_picture(RED, target)
        except UsageError as error:
            failed.append(error.what)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == ["A file has appeared where the picture would go."] * 7
    assert os.listdir(tmp_path) == ["a.png"]


def test_what_the_format_cannot_hold_leaves_nothing(tmp_path: Path) -> None:
    target = picture_target(tmp_path / "a.jpg")
    with pytest.raises(MediaError, match="The picture cannot be written: ") as caught:
        write_picture(Image.new("RGB", (70_000, 1)), target)
    assert caught.value.where == str(target)
    assert os.listdir(tmp_path) == []


def test_without_hard_links_nothing_is_replaced_either(tmp_path: Path, monkeypatch) -> None:
    def refuse(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_picture(RED, tmp_path / "a.png")
    (tmp_path / "b.png").write_text("mine")
    with pytest.raises(UsageError):
        write_picture(RED, tmp_path / "b.png")
    assert (tmp_path / "b.png").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]
