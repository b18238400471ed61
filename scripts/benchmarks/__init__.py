"""Side-by-side measurements of speed: parts of `scripts/benchmark.py`."""
