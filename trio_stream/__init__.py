"""Streams over HTTP for Trio, every ending told truthfully."""
