"""`ListPager`: a whole list out of pages (client-go's tools/pager).

The pages of one list are of one version: the first page says which, and the token of each page names the next one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from kubeinformer.cache.arguments import check_callable
from kubeinformer.cache.list_watch_bodies import list_dict, refusal_of
from kubeinformer.errors import Error
from kubeinformer.options import ListOptions

DEFAULT_PAGE_SIZE = 500
DEFAULT_PAGE_BUFFER_SIZE = 10

_Page = dict[str, Any]


class ListPager:
    """Lists in pages, and falls back to a list in one piece when a version expires between two of them (§91, §92).

    Args:
        page_func: called with the options of one page, returns a list object: a dict, JSON as bytes or a model of the
            kubernetes package, such as `ListWatch(...).list` or
            `lambda options: v1.list_pod_for_all_namespaces(**options.to_kwargs())`.
        page_size: items a page, where the options name no limit.
        page_buffer_size: pages that `each_list_item` fetches ahead.
        full_list_if_expired: fall back.

    Raises:
        TypeError: `page_func` is not callable.
        ValueError: `page_size` is below 1, or `page_buffer_size` below 0.
    """

    def __init__(
        self,
        page_func: Callable[[ListOptions], Any],
        *,
        page_size: int = DEFAULT_PAGE_SIZE,
        page_buffer_size: int = DEFAULT_PAGE_BUFFER_SIZE,
        full_list_if_expired: bool = True,
    ) -> None:
        check_callable(page_func=page_func)
        if page_size < 1:
            raise ValueError(f"page_size must be at least 1, not {page_size}")
        if page_buffer_size < 0:
            raise ValueError(f"page_buffer_size must be 0 or more, not {page_buffer_size}")
        self.page_size = page_size
        self.page_buffer_size = page_buffer_size
        self.full_list_if_expired = full_list_if_expired
        self._page_func = page_func

    def list(self, options: ListOptions | None = None) -> tuple[dict[str, Any], bool]:
        """Read all pages. Blocks until the last one is there.

        Args:
            options: of the list; they are not changed. None = everything, from the newest version.

        Returns:
            The list object, with the items of all pages and the first page's resourceVersion; and whether there was
            more than one page.

        Raises:
            Exception: what `page_func` raises, unless it is an expired token and there is a fallback.
            Error: the server answers a token with the same token.
        """
        asked = options or ListOptions()
        request = self._first(asked)
        whole: _Page | None = None
        while True:
            try:
                page = list_dict(self._page_func(replace(request)))
            except Exception as error:
                if not (self.full_list_if_expired and request.continue_ and _is_resource_expired(error)):
                    raise
                full = list_dict(self._page_func(replace(asked, limit=0, continue_="")))
                return full, whole is not None
            token = _continue_of(page, request)
            if whole is None:
                if not token:
                    return page, False
                whole = {**page, "metadata": {"resourceVersion": _metadata(page).get("resourceVersion", "")}}
                whole["items"] = []
            whole["items"].extend(page.get("items") or [])
            if not token:
                return whole, True
            request = _next(request, token)

    def each_list_item(self, options: ListOptions | None, function: Callable[[dict[str, Any]], object]) -> None:
        """Call `function` with each item, on this thread; the next pages are fetched by another one meanwhile.

        Memory holds `page_buffer_size` pages and those in hand. There is no fallback here: the items of a full list
        would come a second time.

        Args:
            options: see `list`.
            function: takes an item. If it raises, that ends the call, and no further page is asked for.

        Raises:
            Exception: what `page_func` raises, after the items of the pages before; or what `function` raises.
        """
        pages: queue.SimpleQueue[_Page | BaseException | None] = queue.SimpleQueue()
        room = threading.Semaphore(self.page_buffer_size + 1)
        over = threading.Event()

        def fetch() -> None:
            end: BaseException | None = None
            request = self._first(options or ListOptions())
            try:
                while room.acquire() and not over.is_set():
                    page = list_dict(self._page_func(replace(request)))
                    token = _continue_of(page, request)
                    pages.put(page)
                    if not token:
                        break
                    request = _next(request, token)
            except BaseException as error:
                end = error
            pages.put(end)

        threading.Thread(target=fetch, name="kubeinformer-pager", daemon=True).start()
        try:
            while isinstance(page := pages.get(), dict):
                for item in page.get("items") or []:
                    function(item)
                room.release()
            if page is not None:
                raise page
        finally:
            over.set()
            room.release()

    def _first(self, options: ListOptions) -> ListOptions:
        return replace(options, limit=options.limit or self.page_size)


def _metadata(page: _Page) -> dict[str, Any]:
    return page.get("metadata") or {}


def _continue_of(page: _Page, request: ListOptions) -> str:
    token: str = _metadata(page).get("continue") or ""
    if token and token == request.continue_:
        raise Error("the server answered a continue token with the same token")
    return token


def _next(request: ListOptions, token: str) -> ListOptions:
    # A token carries its version, and the server refuses another one beside it (§91).
    return replace(request, continue_=token, resource_version="", resource_version_match="")


def _is_resource_expired(error: Exception) -> bool:
    """By the reason alone, not by the code (§92)."""
    refusal = refusal_of(error)
    if refusal is None:
        return False
    try:
        status = orjson.loads(refusal.body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(status, dict) and status.get("reason") == "Expired"
