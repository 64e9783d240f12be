"""From settings to the objects they name."""

import copy
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import trained
from gaugemc.flows import Flow
from gaugemc.groups import Group
from gaugemc.samplers import GeneralisedLeapfrog, Sampler
from gaugemc.samplers.compose import hmc_in, with_hmc
from gaugemc.theories import Theory

Model = Flow | GeneralisedLeapfrog
"""What can be trained."""


def build_theory(settings: Settings) -> Theory:
    """The theory, in the run's precision."""
    real = jnp.float64 if settings.precision == "fp64" else jnp.float32
    theory = settings.theory.build(real)
    return theory if settings.native == "auto" else without_kernels(theory)


def without_kernels(tree: PyTree) -> PyTree:
    """The same theory, flow, or other tree of modules, in XLA's code alone.

    Groups are also in fields that are static, where `jax.tree.map` would not find them.
    """
    if isinstance(tree, Group):
        return tree.without_kernels()
    if isinstance(tree, eqx.Module):
        plain = copy.copy(tree)
        for field in dataclasses.fields(tree):
            part = without_kernels(getattr(tree, field.name))
            object.__setattr__(plain, field.name, part)
        return plain
    if isinstance(tree, tuple | list):
        parts = map(without_kernels, tree)
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return tree


def build_model(settings: Settings, theory: Theory, key: Key[Array, ""]) -> Model:
    """What the sampler needs trained, before training."""
    return trained(settings).build(settings, theory, key)


def build_sampler(settings: Settings, theory: Theory, model: Model | None) -> Sampler:
    """The sampler that is evaluated, before tuning."""
    return settings.sampler.build(settings, theory, model)


def abstract_model(settings: Settings, theory: Theory) -> Model:
    """The shapes and types of what is trained; raises ValueError where there is no such thing."""
    return eqx.filter_eval_shape(lambda key: build_model(settings, theory, key), jax.random.key(0))


def in_float64(
    settings: Settings, sampler: Sampler, model: Model | None
) -> tuple[Sampler, Model | None]:
    """The same sampler and model with their parameters and all their arithmetic in float64."""
    settings = dataclasses.replace(settings, precision="fp64")
    theory = build_theory(settings)

    def promoted(leaf: Any) -> Any:
        return leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf

    if model is not None:
        leaves = [promoted(leaf) for leaf in jax.tree.leaves(model)]
        structure = jax.tree.structure(abstract_model(settings, theory))
        model = jax.tree.unflatten(structure, leaves)
    precise = build_sampler(settings, theory, model)
    tuned, hmc = hmc_in(sampler), hmc_in(precise)
    if tuned is not None and hmc is not None:
        precise = with_hmc(precise, hmc.with_steps(tuned.step_size, tuned.n_steps))
    return precise, model
