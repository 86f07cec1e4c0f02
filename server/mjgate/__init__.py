"""A gateway for the Midjourney Proxy API."""

__version__ = "0.3.0"
