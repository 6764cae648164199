"""The command line: each command parses its arguments, calls one function, writes the answer and chooses the exit code."""
