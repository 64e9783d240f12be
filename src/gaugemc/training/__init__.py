"""Training of samplers: objectives, schedules, the one loop."""

from gaugemc.training.fit import Fit as Fit
from gaugemc.training.fit import fit as fit
from gaugemc.training.growth import GrowingBatch as GrowingBatch
from gaugemc.training.jump import ChargeJump as ChargeJump
from gaugemc.training.jump import DistanceJump as DistanceJump
from gaugemc.training.jump import ExpectedJump as ExpectedJump
from gaugemc.training.jump import Jump as Jump
from gaugemc.training.jump import PlaquetteJump as PlaquetteJump
from gaugemc.training.jump import SquareJump as SquareJump
from gaugemc.training.jump import WhitenedJump as WhitenedJump
from gaugemc.training.levels import LevelKL as LevelKL
from gaugemc.training.objective import Quality as Quality
from gaugemc.training.objective import ReverseKL as ReverseKL
from gaugemc.training.objective import quality as quality
from gaugemc.training.path_gradient import PathGradient as PathGradient
from gaugemc.training.quantiles import quantile_flow as quantile_flow
from gaugemc.training.schedule import BetaSchedule as BetaSchedule
from gaugemc.training.schedule import Plateau as Plateau
from gaugemc.training.schedule import learning_rates as learning_rates
from gaugemc.training.schedule import optimiser as optimiser
from gaugemc.training.schedule import plateau_scale as plateau_scale
from gaugemc.training.train import Metrics as Metrics
from gaugemc.training.train import TrainingDivergedError as TrainingDivergedError
from gaugemc.training.train import TrainingState as TrainingState
from gaugemc.training.train import start_training as start_training
from gaugemc.training.train import train as train
