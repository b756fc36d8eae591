"""A real stack under seeded faults: nothing that was accepted is lost, doubled, wrong or stuck. `python -m tests.storm -h`."""
