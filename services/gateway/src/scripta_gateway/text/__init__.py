"""Text as a client wants it: numerals, redaction, fillers and the like, the same in every dialect.

Each rule acts on one result, so that a final stays what its log makes of it; only what is hidden
also depends on whether the final before it ended with a number.
"""

from scripta_gateway.text.channels import ChannelTexts
from scripta_gateway.text.groups import Reach
from scripta_gateway.text.redaction import Tail
from scripta_gateway.text.rules import Spoken, TextRules

__all__ = ["ChannelTexts", "Reach", "Spoken", "Tail", "TextRules"]
