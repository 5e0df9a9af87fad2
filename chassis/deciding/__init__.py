"""From a command to facts in the journal: load, decide, one insert."""
