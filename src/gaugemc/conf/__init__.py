"""The command's configuration: groups of choices over the settings of an experiment (Hydra)."""

from gaugemc.conf.groups import register as register
