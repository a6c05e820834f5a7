"""The model and what feeds it: no part of it knows a spec."""

from plm_components.model.perception_lm import PerceptionLM

__all__ = ["PerceptionLM"]
