"""The plain recipe for M5 that anybody would start with, without anything of Lakecast.

One global LightGBM that forecasts all 28 days directly: lags from 28 days, rolling means up to 112,
price, calendar, the last 420 days, 500 rounds of 127 leaves.
"""
