"""What a report could not show, because the files of the run are not all there."""

from pathlib import Path

from gaugemc.report.record import Run, read_run


def remarks(directory: Path) -> list[str]:
    """One line for each file that the report lacks, or that is of another time than the summary.

    Raises:
        FileNotFoundError: there is no `summary.json`.
        ValueError: a file cannot be read; the message names it.
    """
    run = read_run(directory)
    expected = ["config.yaml", *(["metrics.csv"] if run.part("training") else [])]
    expected += [f"chains/{name}.h5" for name in run.phases]
    absent = [name for name in expected if not (directory / name).is_file()]
    return [f"{directory / name}: not found, and left out" for name in absent] + of_another_time(
        run
    )


def of_another_time(run: Run) -> list[str]:
    """The chains of another number of draws than the summary: more were asked for, not all done."""
    counts = {label: part.get("draws") for label, part in zip(run.labels, run.results)}
    found = []
    for chains in run.chains:
        draws = chains.draws
        if not draws <= (counts.get(chains.label) or 0) < draws + chains.every:
            found.append(
                f"{run.directory}: {draws} draws of {chains.label} in chains/, and"
                f" {counts.get(chains.label)} in summary.json: gaugemc resume brings them together"
            )
    return found
