"""The fixture of `store_support`, for the tests of this folder."""

from store_support import make_store

__all__ = ["make_store"]
