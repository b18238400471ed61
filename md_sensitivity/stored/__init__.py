"""Hessians that are computed once at a geometry and stored, so that products with them are cheap."""

from md_sensitivity.stored.hessian import StoredHessian, storable, stored_hessian
from md_sensitivity.stored.pairs import BYTES_PER_ENTRY

__all__ = ["BYTES_PER_ENTRY", "StoredHessian", "storable", "stored_hessian"]
