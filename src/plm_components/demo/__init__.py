"""A new image and a new video, asked about by plm-tiny and drawn on one page."""

from plm_components.demo.run import Demo, run_demo
from plm_components.demo.sheet import Exchange

__all__ = ["Demo", "Exchange", "run_demo"]
