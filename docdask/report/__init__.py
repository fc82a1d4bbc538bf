"""Frames and charts to PDF and HTML."""
