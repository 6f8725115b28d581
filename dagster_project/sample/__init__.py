"""Synthetic source files in the real formats, with known policy effects, and the twin without.

Belongs here: the generator (``world``), the effects that are built in (``effects``), writers of
each format, and what the true effect on a derived outcome is (``truth``). Does not belong here:
readers (``extract``) or anything of Dagster.
"""
