"""What the user holds: `Session` and `Reply`.

Imports `rtnb.net` and `rtnb.core`; knows neither the roof nor the local endpoint.
"""
