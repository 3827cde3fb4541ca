"""Proofs about gateware: what holds in every run, for every input, and not only in those tried."""
