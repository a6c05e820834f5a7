"""A new distribution with one part that works, to begin from (``plm plugins new``). No torch."""

from plm_components.scaffold.distribution import new_distribution
from plm_components.scaffold.names import Names

__all__ = ["Names", "new_distribution"]
