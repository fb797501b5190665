"""The Grafana dashboards as code; ``make dashboards`` writes them into the chart.

Each module of a dashboard says what its panels show; ``grafana`` turns that into Grafana's JSON,
and ``promql`` has the few shapes of expression that all of them are made of. What is written goes
into ``charts/scripta/files/dashboards`` and is committed: who installs the chart needs no Python.
"""
