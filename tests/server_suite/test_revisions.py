"""Statements 1 to 3: one revision for the whole store."""

from __future__ import annotations

from kubeinformer.testing.objects import config_map

from .servers import Api


def test_st02_a_write_that_changes_nothing_is_none(api: Api, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    stored = api.post(maps, config_map("a", namespace, data={"k": "v"})).json
    before = api.get(maps)
    with api.watch(maps, resourceVersion=before.revision) as stream:
        assert api.put(f"{maps}/a", stored).json == stored
        assert api.patch(f"{maps}/a", {"data": stored["data"]}).json == stored
        assert api.get(maps).json["items"] == before.json["items"]
        api.post(maps, config_map("b", namespace))
        assert stream.take(1) == [("ADDED", "b")]
