"""Engines: the only package that speaks to Google's libraries."""
