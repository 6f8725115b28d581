"""Orchestration: what runs, when, and on what. The rooms below it do the work."""
