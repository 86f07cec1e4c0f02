"""What a run has found, written for whoever reads it: people, programs, CI.

Everything in a report but our own words was written by the server under test, and is harmless
where it stands: no sign commands a terminal, no markup is obeyed, no line is taken by CI.
"""
