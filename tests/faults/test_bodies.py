"""What a proxy does to bodies is what it says."""

from __future__ import annotations

import zlib

import pytest

from . import bodies

TEXT = "aé☃😀b".encode()


def test_cuts_lose_nothing() -> None:
    assert list(bodies.in_pieces_of(2)([b"abc", b"d"])) == [b"ab", b"c", b"d"]
    assert list(bodies.buffered(3)([b"ab", b"cd", b"e"])) == [b"abcd", b"e"]
    assert list(bodies.lines([b"a\nb", b"c\n\xe2\x80\xa8", b"d"])) == [b"a\n", b"bc\n", "\u2028d".encode()]
    pieces = list(bodies.inside_characters([TEXT]))
    assert b"".join(pieces) == TEXT
    for piece in pieces[:-1]:
        with pytest.raises(UnicodeDecodeError):
            piece[-1:].decode()
    assert len(pieces) == 7


@pytest.mark.parametrize("end", [bodies.Reset, bodies.Silence, bodies.CutOff])
def test_an_end_after_some_bytes(end: type[Exception]) -> None:
    body = bodies.after(4, end)([b"abc", b"def"])
    assert [next(body), next(body)] == [b"abc", b"d"]
    with pytest.raises(end):
        next(body)


def test_gzip() -> None:
    whole = b"".join(bodies.gzip_members([b"abc", b"def"]))
    first = zlib.decompressobj(wbits=31)
    assert first.decompress(whole) == b"abc"
    assert first.eof
    cut = b"".join(bodies.gzip_cut_off(100)([b"x" * 50, TEXT * 100, bytes(range(256)) * 4]))
    inflate = zlib.decompressobj(wbits=31)
    assert inflate.decompress(cut).startswith(b"x" * 50)
    assert len(cut) == 100
    assert not inflate.eof


def test_events_are_rewritten() -> None:
    def rewrite(one: bodies.Event) -> list[bodies.Event]:
        return [one, one] if one["type"] == "ADDED" else []

    pieces = bodies.in_pieces_of(3)([b'{"type":"ADDED"}\n{"type":"BOOKMARK"}\n'])
    assert list(bodies.events(rewrite)(pieces)) == [b'{"type":"ADDED"}\n' * 2]
