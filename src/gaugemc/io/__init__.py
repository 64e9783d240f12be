"""Files: checkpoints, ensembles and configurations, written atomically and checked when read."""

from gaugemc.io.atomic import write_atomically as write_atomically
from gaugemc.io.checkpoint import CheckpointError as CheckpointError
from gaugemc.io.checkpoint import checkpoint_path as checkpoint_path
from gaugemc.io.checkpoint import latest_checkpoint as latest_checkpoint
from gaugemc.io.checkpoint import load_checkpoint as load_checkpoint
from gaugemc.io.checkpoint import prune as prune
from gaugemc.io.checkpoint import read_metadata as read_metadata
from gaugemc.io.checkpoint import save_checkpoint as save_checkpoint
from gaugemc.io.configuration import Configuration as Configuration
from gaugemc.io.configuration import ConfigurationError as ConfigurationError
from gaugemc.io.configuration import read_configuration as read_configuration
from gaugemc.io.configuration import write_configuration as write_configuration
from gaugemc.io.ensemble import read_configurations as read_configurations
from gaugemc.io.ensemble import read_draws as read_draws
from gaugemc.io.ensemble import write_draws as write_draws
