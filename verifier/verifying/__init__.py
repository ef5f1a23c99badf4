"""The parts that a verification of one pact and a run of many have in common."""
