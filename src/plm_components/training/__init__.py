"""Recipes: plm-tiny from scratch, on two CPU cores.

One idea a file: ``schedule`` (the recipe), ``layout`` (questions to ids), ``batches`` (scenes to
tensors), ``grounding`` and ``narration`` (the auxiliary losses), ``attention``, ``master`` and
``crew`` (speed and precision on a CPU), ``tiny_run`` (what a step does) and ``tiny`` (the command).
"""
