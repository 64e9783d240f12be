"""Run directories made up for the tests of the report, with invented numbers."""

import json
import math
import pathlib
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from gaugemc.chains.driver import Draws
from gaugemc.io.ensemble import write_draws
from gaugemc.samplers import Info

VALUES = list(range(-3, 4))
PROBABILITY = [0.0021, 0.0394, 0.2253, 0.4664, 0.2253, 0.0394, 0.0021]
EXACT = {"plaquette": 0.912402, "charge": 0.0, "charge_squared": 0.8034}


def jumping_charge(rng: np.random.Generator, rate: float, chains: int, draws: int) -> np.ndarray:
    """Charges that are drawn anew from P(Q) with a probability per draw, and else stay."""
    weights = np.array(PROBABILITY) / sum(PROBABILITY)
    fresh = rng.choice(VALUES, p=weights, size=(chains, draws)).astype(np.float64)
    moves = rng.random((chains, draws)) < rate
    moves[:, 0] = True
    last = np.maximum.accumulate(np.where(moves, np.arange(draws), 0), axis=1)
    return np.take_along_axis(fresh, last, axis=1)


def noisy_plaquette(
    rng: np.random.Generator, memory: float, mean: float, chains: int, draws: int
) -> np.ndarray:
    """An autoregressive series of plaquettes."""
    noise = rng.normal(size=(chains, draws))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0]
    for t in range(1, draws):
        series[:, t] = memory * series[:, t - 1] + math.sqrt(1 - memory**2) * noise[:, t]
    return mean + 0.015 * series


def write_chains(path: pathlib.Path, observables: dict[str, np.ndarray], forces: int) -> None:
    shape = next(iter(observables.values())).shape
    reports: dict[str, Any] = {name: np.zeros(shape) for name in Info._fields}
    reports["force_evaluations"] = np.full(shape, forces)
    write_draws(path, Draws(observables, Info(**reports)), {"warmup": 200})


def result(
    seed: int, tau: float, seconds: float, forces: int, observables: list[str], **more: Any
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    measured = {
        name: {
            "mean": EXACT[name] + 0.0004 * rng.normal(),
            "error": 0.0004,
            "tau_int": tau,
            "tau_int_error": 0.11 * tau,
            "lower_bound": False,
            "exact": EXACT[name],
            "z": 0.71,
        }
        for name in observables
    }
    base = {
        "acceptance": 0.8123,
        "seconds": seconds,
        "seconds_per_draw": seconds / 3000,
        "force_evaluations": forces,
        "chains": 8,
        "draws": 3000,
        "step_size": 0.1,
        "n_steps": forces,
        "r_hat": dict.fromkeys(observables, 1.002),
        "observables": measured,
        "tuning": [],
    }
    return base | more


SOFTWARE = {
    "gaugemc": "0.1.0",
    "jax": "0.10.2",
    "numpy": "2.4.6",
    "git_commit": "7c42834",
    "machine": "x86_64, 2 CPU cores",
    "date": "2025-03-14 15:09:26",
}
GRID = [
    {
        "length": t,
        "target": 0.8,
        "trajectory_length": t,
        "step_size": t / n,
        "n_steps": n,
        "acceptance": a,
        "miss": "most_steps=30 reached" if t == 4.0 else "",
        "draws": 60,
        "score": s,
        "score_error": s / 8,
        "scored_by": "charge",
        "scores": {"charge": {"value": s, "error": s / 8}},
        "chosen": t == 1.0,
        "chosen_for": {"charge": "charge: best of 4"} if t == 1.0 else {},
    }
    for t, n, a, s in (
        (0.5, 4, 0.91, 2.1),
        (1.0, 8, 0.83, 3.6),
        (2.0, 15, 0.79, 2.9),
        (4.0, 30, 0.96, 1.7),
    )
]


def u1_run(directory: pathlib.Path, draws: int = 3000) -> pathlib.Path:
    """A run of FT-HMC on 2D U(1) with everything that a run can leave."""
    rng = np.random.default_rng(2112)
    (directory / "chains").mkdir(parents=True)
    for name, rate, memory, forces in (("evaluate", 0.4, 0.3, 8), ("hmc", 0.002, 0.6, 8)):
        charge = jumping_charge(rng, rate, 8, draws)
        plaquette = noisy_plaquette(rng, memory, EXACT["plaquette"], 8, draws)
        write_chains(
            directory / "chains" / f"{name}.h5",
            {"plaquette": plaquette, "charge": charge, "charge_squared": charge**2},
            forces,
        )
    names = ["plaquette", "charge", "charge_squared"]
    hmc = result(2, 410.0, 5.2, 8, names, tuning=GRID)
    hmc["observables"]["charge_squared"]["lower_bound"] = True
    ratio = {
        "ess_per_second_ratio": 31.2,
        "ess_per_force_ratio": 154.0,
        "error": 4.1,
        "force_error": 17.0,
    }
    summary = {
        "theory": {"name": "u1_2d", "group": "U(1)", "lattice": [8, 8], "beta": 6.0},
        "sampler": {"name": "fthmc", "parameters": {"flow": {"name": "multiscale", "bins": 16}}},
        "training": {
            "steps": 2000,
            "seconds": 171.4,
            "loss": -504.21,
            "kl": 0.368,
            "ess": 0.8312,
            "ess_samples": 4096,
            "charge_squared": 0.791,
            "charge_squared_exact": EXACT["charge_squared"],
        },
        "evaluate": result(1, 1.71, 41.0, 8, names),
        "hmc": hmc,
        "comparison": {
            "plaquette": {
                "ess_per_second_ratio": 0.62,
                "error": 0.05,
                "ess_per_force_ratio": 4.9,
                "force_error": 0.4,
                "lower_bound": False,
            },
            "charge_squared": ratio | {"lower_bound": True, "upper_bound": False},
        },
        "checks": {
            "reversibility": {"value": 3.2e-13, "limit": 1e-8, "passed": True},
            "log_det": {"value": 8.1e-12, "limit": 1e-8, "passed": True},
            "exp_minus_delta_h": {"mean": 0.9989, "error": 0.0017, "z": -0.65, "passed": True},
            "hmc_exp_minus_delta_h": {"mean": 1.0012, "error": 0.0011, "z": 1.09, "passed": True},
            "plaquette": {"z": 0.71, "limit": 4.0, "passed": True},
            "charge_squared": {"z": 0.71, "limit": 4.0, "passed": True},
        },
        "charge_distribution": {"values": VALUES, "probability": PROBABILITY},
        "software": SOFTWARE,
        "verdict": "FT-HMC is exact on every check and makes 31(4) times as many independent "
        "samples of Q² a second as tuned HMC.",
    }
    (directory / "summary.json").write_text(json.dumps(summary))
    (directory / "config.yaml").write_text("seed: 1\ntheory:\n  lattice: [8, 8]\n  beta: 6.0\n")
    rows = ["step,seconds,beta,loss,kl,ess,charge_squared,gradient_norm,learning_rate"]
    for step in range(0, 2001, 5):
        kl = 0.35 + 180 * math.exp(-step / 150) + 0.02 * rng.random()
        ess = f"{0.84 * (1 - math.exp(-step / 500)):.4f}" if step % 100 == 0 else ""
        shown = f"{kl:.4f}" if step % 20 == 0 else ""
        rows.append(
            f"{step},{0.08 * step},{min(6.0, 1 + step / 100)},{kl - 504.578:.4f},"
            f"{shown},{ess},0.7,1.0,0.001"
        )
    (directory / "metrics.csv").write_text("\n".join(rows) + "\n")
    return directory


def su3_run(directory: pathlib.Path) -> pathlib.Path:
    """A run of HMC alone on 4D SU(3): no flow, no charge, no exact value."""
    rng = np.random.default_rng(5)
    (directory / "chains").mkdir(parents=True)
    write_chains(
        directory / "chains" / "evaluate.h5",
        {"plaquette": noisy_plaquette(rng, 0.8, 0.5937, 2, 400)},
        12,
    )
    evaluate = result(3, 4.4, 312.0, 12, ["plaquette"], chains=2, draws=400, tuning=GRID)
    evaluate["observables"]["plaquette"] |= {
        "mean": 0.5937,
        "error": 0.0004,
        "exact": None,
        "z": None,
    }
    summary = {
        "theory": {"name": "su3_4d", "group": "SU(3)", "lattice": [4, 4, 4, 4], "beta": 6.0},
        "sampler": {"name": "hmc", "parameters": {}},
        "training": None,
        "evaluate": evaluate,
        "hmc": None,
        "comparison": None,
        "checks": {
            "reversibility": {"value": 3.2e-13, "limit": 1e-8, "passed": True},
            "exp_minus_delta_h": {"mean": 0.91, "error": 0.012, "z": -7.5, "passed": False},
        },
        "charge_distribution": None,
        "software": SOFTWARE,
        "verdict": "HMC failed a check of exactness.",
    }
    (directory / "summary.json").write_text(json.dumps(summary))
    return directory


def flow_run(directory: pathlib.Path, reached: bool = True) -> pathlib.Path:
    """HMC beside heatbath on 4D SU(3), with the flow and Polyakov loops on every fifth draw."""
    rng = np.random.default_rng(6)
    (directory / "chains").mkdir(parents=True)
    time = [0.1 * i for i in range(15)]
    results = []
    for seed, name in enumerate(("evaluate", "heatbath")):
        observables = {"plaquette": noisy_plaquette(rng, 0.5, 0.549, 8, 400)}
        due = np.zeros(400, bool)
        due[4::5] = True  # 200 draws of warm-up
        for what, shape in (("flowed_charge", ()), ("flowed_energy", ()), ("polyakov_loop", (4,))):
            series = rng.normal(0.3, 0.05, (8, 400, *shape))
            series[:, ~due] = np.nan
            observables[what] = series
        observables["polyakov_loop_imaginary"] = 0 * observables["polyakov_loop"]
        reports: dict[str, Any] = {field: np.zeros((8, 400)) for field in Info._fields}
        draws = Draws(observables, Info(**reports))
        attributes = {"warmup": 200, "measure_every": 5}
        write_draws(directory / "chains" / f"{name}.h5", draws, attributes)
        scale = 0.3 if reached else 0.1
        flow = {"time": time, "t2_energy": [scale * t for t in time], "energy_error": [0.01] * 15}
        flow |= {"t0": 1.0 if reached else None, "t0_error": 0.023 if reached else None}
        flow |= {"w0": None, "w0_error": None, "lower_bound": False, "reason": ""}
        found = result(seed, 2.2, 40.0, 20 * (1 - seed), ["plaquette"], draws=400, flow=flow)
        observed = found["observables"]["plaquette"] | {"exact": None, "z": None}
        found["observables"] = dict.fromkeys(
            ("plaquette", "flowed_charge", "flowed_energy", "flowed_t2_energy"), observed
        )
        results.append(found | {"link_updates": (20, 5)[seed]})
    gain = {"ess_per_second_ratio": 0.3, "error": 0.02, "lower_bound": False, "upper_bound": False}
    theory = {"choice": "su3_4d", "group": "SU3", "lattice": [6, 6, 6, 4], "beta": 5.7}
    summary = {
        "theory": {**theory, "title": "4D SU(3)", "leading": ["plaquette"]},
        "sampler": {"name": "hmc", "parameters": {"evaluate": {"flow_kernel": "symanzik"}}},
        "evaluate": results[0],
        "hmc": None,
        "baselines": {"heatbath": results[1]},
        "comparison": {"plaquette": gain | {"baseline": "heatbath"}},
        "checks": {"heatbath/convergence": {"value": 1.2, "limit": 1.1, "passed": None}},
        "verdict": "HMC makes only 0.30(2) times as many as heatbath.",
        "software": SOFTWARE,
    }
    (directory / "summary.json").write_text(json.dumps(summary))
    return directory


def put_run(
    directory: pathlib.Path,
    settings: dict[str, Any],
    tau: float = 1.7,
    ratio: dict[str, Any] | None = None,
    checks: dict[str, Any] | None = None,
    label: str = "fthmc",
    **frozen: Any,
) -> pathlib.Path:
    """A finished run without chains; `frozen` goes into the HMC charge."""
    directory.mkdir(parents=True, exist_ok=True)
    theory = {"name": "u1_2d", "group": "U1", "lattice": [8, 8], "beta": 2.0}
    tree = {"theory": theory, "sampler": {"name": label}, "seed": 1, "progress": True}
    config = OmegaConf.merge(tree, settings)
    (directory / "config.yaml").write_text(OmegaConf.to_yaml(config))
    used: Any = OmegaConf.to_container(config)
    names = ["plaquette", "charge"]
    hmc = result(2, 30.0, 5.0, 8, names)
    hmc["observables"]["charge"] |= frozen
    gain = {"ess_per_second_ratio": 3.2, "error": 0.2, "lower_bound": False, "upper_bound": False}
    summary = {
        "theory": {**used["theory"], "title": "2D U(1)"},
        "sampler": {"name": used["sampler"]["name"]},
        "evaluate": result(1, tau, 41.0, 8, names),
        "hmc": hmc,
        "comparison": {"charge": gain | (ratio or {}), "plaquette": gain},
        "checks": checks or {"log_det": {"passed": True}, "charge": {"passed": True}},
        "software": {"date": "2025-03-14T15:09:26"},
        "verdict": "It is.",
    }
    (directory / "summary.json").write_text(json.dumps(summary))
    (directory / "report.html").write_text("the report")
    return directory
