"""The chart, rendered in this process and held against what it must fit."""
