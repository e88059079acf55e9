"""The checker of the conformance table bites: everything it promises to notice, it notices."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from statements import SECTIONS, Section, differs
from table import HERE, problems, read, render

ONE = (Section("a", "One", 1, 2), Section("b", "Two", 3, 3))
GOOD = '''
    from statements import differs
    GO_ONLY = {2: "channels"}

    @differs("client-go does X; here Y, " "because Z")
    def test_s1_first(make_store):
        """The first holds. And more that is not shown.

        Nor this.
        """
'''
GOOD_B = '''
    def test_s3_third():
        """The third a | b holds"""
'''


class Folder:
    """A folder of conformance tests and its document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.document = path / "conformance.md"

    def file(self, name: str, text: str) -> Folder:
        (self.path / name).write_text(textwrap.dedent(text))
        return self

    def written(self) -> Folder:
        self.document.write_text(render(read(self.path, ONE), ONE))
        return self

    def problems(self, *, complete: bool = False) -> list[str]:
        return problems(self.path, self.document, complete=complete, sections=ONE)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path).file("test_2a_one.py", GOOD).file("test_2b_two.py", GOOD_B)


def test_a_full_table_is_accepted_and_says_it_all(folder: Folder) -> None:
    assert folder.written().problems(complete=True) == []
    text = folder.document.read_text()
    assert "3 statements: 1 are proven as client-go has them, 1 differ on purpose, 1 have a meaning in Go" in text
    assert (
        "| 1 | The first holds.<br>**Differs:** client-go does X; here Y, because Z |"
        " [test_2a_one.py::test_s1_first](../tests/conformance/test_2a_one.py) |\n"
        "| 2 | Go only: channels |  |\n"
    ) in text
    assert r"| 3 | The third a \| b holds |" in text


def test_one_test_may_prove_several_and_several_tests_one(folder: Folder) -> None:
    folder.file(
        "test_2a_more.py",
        '''
        class TestMore:
            async def test_s1_s2_both(self):
                """Both hold, i.e. all."""
        ''',
    ).file("test_2a_one.py", GOOD.replace("GO_ONLY = {2:", "OTHER = {2:"))
    assert folder.written().problems() == []
    reading = read(folder.path, ONE)
    assert [proof.name for proof in reading.statements[1].proofs] == ["test_s1_s2_both", "test_s1_first"]
    assert [proof.sentence for proof in reading.statements[2].proofs] == ["Both hold, i.e. all."]
    assert [reading.statements[number].kind for number in (1, 2, 3)] == ["differs", "proven", "proven"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("test_2b_two.py", "", "section 2.B: no test, no difference and no reason for §3"),
        ("test_2b_two.py", 'def helper_s3_x():\n    """It holds."""', "reason for §3"),
        ("test_2b_two.py", "def test_s3_third(): pass", "test_2b_two.py::test_s3_third has no docstring"),
        ("test_2b_two.py", GOOD_B.replace("s3", "s3_s1"), "test_s3_s1_third: §1 is not in section 2.B"),
        ("test_2b_two.py", GOOD_B.replace("s3_", ""), "test_third is not named for a statement"),
        ("test_2b_two.py", GOOD_B + "    GO_ONLY = {3: 'x'}", "§3 has a test, but is GO_ONLY"),
        ("test_2b_two.py", "GO_ONLY = {3: 'x'}\nNOT_BUILT = {3: 'y'}", "or is both"),
        ("test_2b_two.py", GOOD_B + "    GO_ONLY = {1: 'x'}", "GO_ONLY names §1, not in section 2.B"),
        ("test_2b_two.py", "NOT_BUILT: dict[int, str] = {4: 'x'}", "NOT_BUILT names §4, not in section 2.B"),
        ("test_2b_two.py", "GO_ONLY = {3: ' '}", "must be a literal dict from numbers to reasons"),
        ("test_2b_two.py", "GO_ONLY = {3: str(3)}", "must be a literal dict from numbers to reasons"),
        ("test_2a_one.py", GOOD.replace('" "because Z"', '" + str(1)'), "the reason of a difference must be a literal"),
        ("test_2a_one.py", GOOD.replace("@differs", "@pytest.mark.xfail\n    @differs"), "proves nothing"),
        ("test_2a_one.py", GOOD.replace("@differs", "@pytest.mark.skipif(True)\n    @differs"), "proves nothing"),
        ("test_2c_three.py", GOOD_B, "test_2c_three.py: there is no such section"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(folder: Folder, name: str, text: str, says: str) -> None:
    found = folder.file(name, text).written().problems()
    assert any(says in problem for problem in found), found


def test_what_is_not_built_is_shown_and_fails_only_a_complete_check(folder: Folder) -> None:
    folder.file("test_2b_two.py", "NOT_BUILT = {3: 'next year'}").written()
    assert folder.problems() == []
    assert folder.problems(complete=True) == ["§3 is not built: next year"]
    text = folder.document.read_text()
    assert "1 are not built yet." in text
    assert "| 3 | Not built: next year |  |" in text


@pytest.mark.parametrize("other", [GOOD_B.replace("holds", "is true"), GOOD_B.replace("_third", "_one")])
def test_a_document_that_is_stale_or_not_there_is_told(folder: Folder, other: str) -> None:
    stale = ["conformance.md is not what the tests say: run `make conformance`"]
    assert folder.problems() == stale
    assert folder.written().problems() == []
    assert folder.file("test_2b_two.py", other).problems() == stale


def test_sections_follow_one_another_and_have_the_letters_in_order() -> None:
    assert [section.letter for section in SECTIONS] == list("abcdefghijklmnopq")
    assert [number for section in SECTIONS for number in section.numbers] == list(range(1, 201))


def test_the_files_of_this_folder_can_be_read() -> None:
    errors = [error for error in read(HERE).errors if "no test, no difference and no reason" not in error]
    assert errors == []


def test_a_difference_is_on_the_test_itself() -> None:
    @differs("because")
    def marked() -> int:
        return 5

    assert marked() == 5
    assert marked.differs == "because"  # type: ignore[attr-defined]
