"""Statement 86: without its gate a server does not know shards, and does not say so."""

from __future__ import annotations

import pytest

from kubeinformer.testing.objects import config_map

from .servers import Api


@pytest.mark.parametrize("bound", ["0x0000000000000001", "0x1", "none"])
def test_st86_a_shard_is_ignored_without_a_word(api: Api, namespace: str, bound: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b"):
        assert api.post(maps, config_map(name, namespace)).status == 201
    selector = f"shardRange(object.metadata.uid, '0x0000000000000000', '{bound}')"
    answer = api.get(maps, shardSelector=selector)
    assert answer.names == ["a", "b"]
    assert "shardInfo" not in answer.json["metadata"]
    with api.watch(maps, resourceVersion="0", shardSelector=selector) as stream:
        assert stream.take(2) == [("ADDED", "a"), ("ADDED", "b")]
