"""Boxes and a gateway with everything between them going wrong, in virtual time and from one seed.

The real sessions, outbox and arithmetic run, each card in a SQLite database; only the line, the gateway's store and
the clocks are made up. Then the faults stop (but for a hostile broker), and everything that the boxes said they
kept must be at the gateway, once.
"""

from sync.simulation.made_up import BOX, KEY, SCHOOL, page_record
from sync.simulation.run import Outcome, Simulation
from sync.simulation.store import MemoryIngest
from sync.simulation.worlds import WORLDS, Faults

__all__ = ["BOX", "KEY", "SCHOOL", "WORLDS", "Faults", "MemoryIngest", "Outcome", "Simulation", "page_record"]
