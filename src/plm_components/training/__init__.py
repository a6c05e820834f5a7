"""Recipes: plm-tiny from scratch, on two CPU cores.

One idea a file: ``layout`` (questions to ids), ``batches`` (scenes to tensors), ``grounding``
(the auxiliary loss), ``master`` (bf16 weights, fp32 updates), ``schedule``, ``run_state`` (resume)
and ``tiny`` (the recipe and its command).
"""
