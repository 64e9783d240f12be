"""Tuning HMC: trajectory lengths and step sizes, chosen by what they move for their cost."""

from gaugemc.tuning.choice import Choice as Choice
from gaugemc.tuning.cost import beside_forces as beside_forces
from gaugemc.tuning.score import Score as Score
from gaugemc.tuning.step_size import settle as settle
from gaugemc.tuning.step_size import tune_step_size as tune_step_size
from gaugemc.tuning.tune import Candidate as Candidate
from gaugemc.tuning.tune import Tuning as Tuning
from gaugemc.tuning.tune import middle as middle
from gaugemc.tuning.tune import tune as tune
