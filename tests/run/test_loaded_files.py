"""What is said of a run whose trained model cannot be loaded: one line, before anything is made."""

import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import pytest
from composed import SMALL, composed

from gaugemc.choices.build import build_model, build_theory
from gaugemc.choices.option import SettingsError
from gaugemc.conf.preparation import check
from gaugemc.io.checkpoint import save_checkpoint
from gaugemc.run.best import Best, save_best
from gaugemc.run.run_directory import RunDirectory


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a model in two files: the best one, and one that training may go on from."""
    settings, directory = composed(*SMALL), RunDirectory(tmp_path_factory.mktemp("runs") / "run")
    with directory.owned():
        directory.create(settings)
        model = build_model(settings, build_theory(settings), jax.random.key(1))
        measured = {"loss": 1.0, "loss_error": 0.1}
        save_best(directory, Best(model, 5, measured, 5, measured))
        save_checkpoint(directory.checkpoints / "train-00000005.ckpt", model, {})
    return directory.path


def rewritten(data: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Writes something else into a file."""
    return lambda path: path.write_bytes(data(path.read_bytes()))


def directory_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (rewritten(lambda data: data[:-100]), "truncated: "),
    "empty": (rewritten(lambda data: b""), "not a gaugemc checkpoint"),
    "random": (rewritten(lambda data: bytes(range(256)) * 9), "not a gaugemc checkpoint"),
    "a bit": (rewritten(lambda data: data[:-99] + b"\xa5" + data[-98:]), "checksum differs"),
    "a directory": (directory_instead, "not a regular file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_no_other_model_takes_the_place_of_a_damaged_one(
    finished: Path, tmp_path: Path, kind: str
) -> None:
    damage, said = BAD[kind]
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (best,) = run.glob("checkpoints/best-*")
    check(composed(*SMALL, f"flow.load={run}"))
    damage(best)
    with pytest.raises(SettingsError) as refused:
        check(composed(*SMALL, f"flow.load={run}"))
    line = str(refused.value)
    assert line.startswith(f"flow.load={run}: {best}: ")
    assert said in line
    assert line.endswith("; remove it to load the last model of the training")
    assert "\n" not in line


@pytest.mark.parametrize("kind", BAD)
def test_a_damaged_configuration_is_named(finished: Path, tmp_path: Path, kind: str) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / "config.yaml").write_text("seed: 1\n" * 99)
    BAD[kind][0](run / "config.yaml")
    with pytest.raises(SettingsError, match=rf"^flow.load={run}: .*(cannot be|is not a run).*$"):
        check(composed(*SMALL, f"flow.load={run}"))
