"""Fuzzing: real payloads, pacts and answers, damaged in many ways, against what reads them. `make fuzz` runs it."""
