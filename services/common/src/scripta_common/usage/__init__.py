"""Usage: what each tenant has used, counted while it is used.

``Meter`` writes it, for transcribers; ``UsageReader`` reads it, for gateways. The broker has a hash
for each hour and each day of a tenant, with a row for each key and model.
"""

from scripta_common.usage.meter import Meter, Used
from scripta_common.usage.reader import UsageReader
from scripta_common.usage.rows import UsageRow, day_of, hour_of, summed, total_field

__all__ = ["Meter", "UsageReader", "UsageRow", "Used", "day_of", "hour_of", "summed", "total_field"]
