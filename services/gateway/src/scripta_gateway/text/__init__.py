"""Text as a client wants it: numerals, redaction, fillers and the like, the same in every dialect.

Each rule acts on one result and nothing else, so that a final stays what its log makes of it.
"""

from scripta_gateway.text.rules import Spoken, TextRules

__all__ = ["Spoken", "TextRules"]
