"""Measures what a variant answers, beside what a blind one would score."""
