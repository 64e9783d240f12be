"""What can be answered before JAX is imported: help, the version, and most mistakes."""

from collections.abc import Mapping

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

import gaugemc
from gaugemc.choices.frameworks import processes
from gaugemc.choices.menu import PluginError
from gaugemc.choices.option import SettingsError
from gaugemc.choices.sweep import jobs, parsed
from gaugemc.choices.validation import refuse
from gaugemc.conf.composition import check_choices, composed
from gaugemc.conf.conversion import conversion
from gaugemc.conf.errors import BAD_INPUT, UsageError, one_line, say
from gaugemc.conf.help import USAGE, VERBS, help_text
from gaugemc.conf.measurement import measurement
from gaugemc.conf.study import swept
from gaugemc.conf.submission import submission

HELP = ("--help", "-h")


def answer(arguments: list[str]) -> int | None:
    """Answer a command line that asks for no work; the exit code, or None where there is work."""
    try:
        text = answer_to(arguments)
    except (HydraException, OmegaConfBaseException) as error:
        problem = one_line(error)
    except (SettingsError, PluginError, UsageError) as error:
        problem = str(error)
    else:
        if text is not None:
            print(text)
        return None if text is None else 0
    say(problem)
    return BAD_INPUT


def answer_to(arguments: list[str]) -> str | None:
    """The text that is asked for, or None.

    Raises:
        UsageError, SettingsError, HydraException, OmegaConfBaseException: a mistake.
    """
    verb, *others = arguments or [""]
    if verb == "help":
        verb, *others = (*others, "--help") if others else ("--help",)
    if verb in VERBS:
        if any(word in HELP for word in others):
            return VERBS[verb]
        if verb == "convert":
            conversion(others)
        elif verb == "measure":
            measurement(others)
        elif verb == "submit":
            submission(others)
        elif not others:
            raise UsageError(f"{verb} needs one run directory\n{USAGE}")
        return None
    words = [verb, *others] if verb else []
    if "--version" in words:
        return f"gaugemc {gaugemc.__version__}"
    parser = get_args_parser()
    parser.error = misused  # pyright: ignore[reportAttributeAccessIssue]
    flags = parser.parse_args(words)
    if flags.hydra_help or flags.shell_completion or flags.experimental_rerun or flags.info:
        return None
    if flags.config_name or flags.config_path or flags.config_dir:
        return None  # settings of a user's own files, which Hydra finds
    if flags.multirun and flags.cfg:
        raise UsageError("--multirun and --cfg: give one of them")
    params = swept(flags.overrides)
    if flags.cfg and params and not is_one_job(flags.overrides, params):
        one = " and ".join(f"one {key}" for key in params)
        raise UsageError(f"--cfg: a study is several jobs: give {one}, to see that job's settings")
    if flags.help:
        swept_over = [f"{key}={value}" for key, value in params.items()]
        words = jobs([*swept_over, *flags.overrides])[0] if params else flags.overrides
        return help_text(composed(words))
    check_choices(flags.overrides)
    sweeps = flags.multirun or params
    launched = {"devices.launcher"} & {o.get_key_element() for o in parsed(flags.overrides)}
    if sweeps and (processes() > 1 or launched):
        raise UsageError("--multirun: several processes train one run at a time: run it in one")
    if not sweeps:  # the jobs of a sweep are looked at together, later
        settings = composed(flags.overrides)
        if not flags.cfg:
            refuse(settings)
    return None


def is_one_job(overrides: list[str], params: Mapping[str, str]) -> bool:
    """Whether a command line gives one value to every key that a study sweeps over."""
    given = {override.get_key_element() for override in parsed(overrides)}
    return params.keys() <= given and len(jobs(overrides)) == 1


def misused(message: str) -> None:
    """Instead of argparse's own report, which has many lines."""
    _, late, words = message.partition("unrecognized arguments: ")
    if late and not words.startswith("-"):
        raise UsageError(f"{words}: write all KEY=VALUE together, behind flags such as --multirun")
    raise UsageError(f"{message}; gaugemc --help lists what there is")
