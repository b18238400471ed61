"""stub"""
from typing import Any
def system_force_field(root: Any, *, name: str, source: str) -> Any:
    raise NotImplementedError
