"""F6, F18, F19, F20, F29: bodies that are framed, cut, split, compressed or held back in every way that there is."""

from __future__ import annotations

import pytest

from informer.fault_support import event, status
from kubeinformer.testing.objects import pod

from .bodies import (
    Body,
    CutOff,
    Reset,
    after,
    buffered,
    gzip_cut_off,
    gzip_members,
    in_pieces_of,
    inside_characters,
)
from .conftest import Embedded
from .outcome import Outcome
from .proxy import Answer

VERBS = pytest.mark.parametrize("verb", ["watch-list", "list"])


@pytest.mark.parametrize("framing", ["Content-Length", "end of connection"])
def test_f06_410_in_a_body_without_chunks(embedded: Embedded, outcome: Outcome, framing: str) -> None:
    """A watch is answered with 200 and an ERROR 410, in a body without chunks."""
    follower = embedded.follow()
    follower.start()
    expired = event("ERROR", status(410, "Expired"))
    if framing == "Content-Length":
        rule = embedded.proxy.rule(verb="watch", times=1, answer=Answer(200, expired))
    else:
        rule = embedded.proxy.rule(verb="watch", times=1, body=lambda _: iter([expired]), framing="close")
    outcome.begins(bound="backoff")
    embedded.end_watch(follower)
    embedded.world.change(20)
    outcome.recovered(follower)
    assert rule.hits == 1
    assert follower.relists_since_start() == {"expired": 1}


@VERBS
def test_f18_objects_of_more_than_a_megabyte(embedded: Embedded, outcome: Outcome, verb: str) -> None:
    """Objects of 1.4 MB, as large as etcd takes them, in a list and in a watch."""
    for number in range(2):
        embedded.server.create(pod(f"large-{number}", size=1_400_000))
    follower = embedded.follow(use_watch_list=verb == "watch-list")
    follower.start()
    outcome.begins(bound="nothing: no fault to a reader of any line")
    for number in range(2):
        embedded.server.update(pod(f"large-{number}", size=1_400_000, labels={"app": "changed"}))
        embedded.server.create(pod(f"larger-{number}", size=1_400_000))
    outcome.recovered(follower)
    assert not follower.relists_since_start()
    assert follower.counters().watches == 0 or verb == "list", "one stream, from the watch-list on"


@VERBS
@pytest.mark.parametrize("how", [inside_characters, in_pieces_of(1), in_pieces_of(7)], ids=["characters", "1", "7"])
def test_f19_pieces_that_end_anywhere(embedded: Embedded, outcome: Outcome, verb: str, how: Body) -> None:
    """Chunks end inside characters and tokens or after each byte; U+2028 and U+0085 are no line ends."""
    embedded.proxy.rule(body=how)
    follower = embedded.follow(use_watch_list=verb == "watch-list")
    follower.start()
    outcome.begins(bound="nothing: no fault to a reader that splits at 0x0A only")
    embedded.world.change(20)
    outcome.recovered(follower)
    assert not follower.relists_since_start()
    assert follower.counters().watches == (0 if verb == "watch-list" else 1), "one stream"


@pytest.mark.parametrize("end", [Reset, CutOff], ids=["reset", "end"])
def test_f20_watches_that_break_off_inside_an_event(embedded: Embedded, outcome: Outcome, end: type[Exception]) -> None:
    """Watches are reset, or end, inside an event and inside one of its characters, five times in a row."""
    follower = embedded.follow()
    follower.start()
    outcome.begins(bound="backoff, where nothing came before the break")
    for number in range(5):
        follower.wait_live()
        rule = embedded.proxy.rule(verb="watch", times=1, body=after(4000 + 337 * number, end))
        embedded.end_watch(follower)
        assert rule.reached.wait(10)
        embedded.world.change(5)
        follower.check()
    outcome.recovered(follower)
    assert set(follower.relists_since_start()) <= {"very_short_watch"}


@VERBS
@pytest.mark.parametrize("end", [Reset, CutOff], ids=["reset", "end"])
def test_f20_first_lists_that_break_off(embedded: Embedded, outcome: Outcome, verb: str, end: type[Exception]) -> None:
    """The first LIST, or the first two watch-lists, are reset or end inside an object."""
    rule = embedded.proxy.rule(verb=verb, times=1 if verb == "list" else 2, body=after(4321, end))
    follower = embedded.follow(use_watch_list=verb == "watch-list")
    outcome.begins(bound="backoff")
    follower.factory.start()
    outcome.recovered(follower)
    assert rule.hits == rule.times


@VERBS
def test_f20_a_gzip_member_that_is_cut_off(embedded: Embedded, outcome: Outcome, verb: str) -> None:
    """A compressed body ends inside its gzip member, of the first list and of a watch."""
    headers = {"Content-Encoding": "gzip"}
    first = embedded.proxy.rule(verb=verb, times=1, body=gzip_cut_off(500), headers=headers)
    follower = embedded.follow(compression=True, use_watch_list=verb == "watch-list")
    outcome.begins(bound="backoff")
    follower.start()
    second = embedded.proxy.rule(verb="watch", times=1, body=gzip_cut_off(1500), headers=headers)
    embedded.proxy.rule(verb="watch", body=gzip_members, headers=headers)
    embedded.end_watch(follower)
    assert second.reached.wait(10)
    embedded.world.change(20)
    outcome.recovered(follower)
    assert first.hits == 1
    assert (follower.counters().watch_lists, follower.counters().lists) == ((1, 1) if verb == "watch-list" else (0, 2))


def test_f29_a_proxy_that_buffers(embedded: Embedded, outcome: Outcome) -> None:
    """A proxy holds a stream back until it has a megabyte: no initial event, then no change, until the watch ends."""
    embedded.proxy.rule(body=buffered(1 << 20))
    follower = embedded.follow(watch_timeout=1.0, watch_grace=2.0, watch_list_timeout=0.3)
    follower.start()
    assert (follower.counters().watch_lists, follower.counters().lists) == (1, 1)
    outcome.begins(bound="watch_timeout, at most twice that")
    embedded.world.change(20)
    outcome.recovered(follower)
    assert not follower.relists_since_start()


@pytest.mark.parametrize("verb", ["list", "watch"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"Content-Type": "text/html"}),
        Answer(503),
        Answer(200, b"<html><body>Sign in</body></html>\n", {"Content-Type": "text/html"}),
        Answer(200),
    ],
    ids=["HTML 502", "empty 503", "HTML 200", "empty 200"],
)
def test_f29_what_a_load_balancer_says(embedded: Embedded, outcome: Outcome, verb: str, answer: Answer) -> None:
    """A load balancer answers instead of the server: HTML with 502 or 200, nothing with 503 or 200."""
    follower = embedded.follow(use_watch_list=False)
    if verb == "watch":
        follower.start()
    rule = embedded.proxy.rule(verb=verb, times=1, answer=answer)
    outcome.begins(bound="backoff")
    if verb == "watch":
        embedded.end_watch(follower)
        embedded.world.change(20)
        assert rule.reached.wait(10)
    else:
        follower.factory.start()
    outcome.recovered(follower)


@pytest.mark.parametrize("content_type", ["text/html", "application/octet-stream", ""])
def test_f29_another_content_type(embedded: Embedded, outcome: Outcome, content_type: str) -> None:
    """A proxy sends the right bodies with another Content-Type."""
    embedded.proxy.rule(headers={"Content-Type": content_type})
    follower = embedded.follow()
    follower.start()
    outcome.begins(bound="nothing: the body tells what it is")
    embedded.world.change(20)
    outcome.recovered(follower)
    assert not follower.relists_since_start()
