"""Frames to core commands and back, one module a protocol. No I/O here either: bytes in, bytes out."""
