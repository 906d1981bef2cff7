"""Regressors and forecasters. Nothing heavy is imported before it is fit or loaded."""

from lakecast.models.codec import load, save

__all__ = ["load", "save"]
