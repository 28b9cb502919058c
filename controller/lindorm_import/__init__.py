"""The lindorm-import controller: watches LindormImport resources and carries each one out.

Read in this order: api (what a user writes and sees), plan and decide (pure), world, runtime.
"""
