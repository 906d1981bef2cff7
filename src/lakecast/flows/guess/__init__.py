"""`lakecast init`: a spec guessed from the files, with the reasons."""

from lakecast.flows.guess.choice import Wishes
from lakecast.flows.guess.write import Written, write_spec

__all__ = ["Wishes", "Written", "write_spec"]
