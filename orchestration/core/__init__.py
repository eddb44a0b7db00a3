"""The workflow language and the meaning of a run. Pure: no Django, no clock, no I/O."""
