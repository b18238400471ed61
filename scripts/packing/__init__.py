"""The molecular-dynamics experiment of Blondel et al., arXiv:2105.15183: parts of `scripts/reproduce_packing.py`."""
