"""Admission: who may be heard, where, and when."""
