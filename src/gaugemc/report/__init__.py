"""The page of a run: figures, tables and verdicts, drawn from its files."""
