"""A laboratory for realtime voice models inside a Jupyter notebook."""

__version__ = "0.1.0"
