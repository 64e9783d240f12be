"""The report in a real browser: it is drawn, and it fits a phone."""

import json
import pathlib
import re
import shutil
import subprocess

import matplotlib.image
import numpy as np
import pytest
from synthetic_run import put_run, su3_run, u1_run

from gaugemc.report.report import write_report
from gaugemc.report.scan_report import write_scan_report

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--hide-scrollbars", "--allow-file-access-from-files"]
PROBE = """<!doctype html><title>probe</title>
<iframe src="PAGE" width="390" height="844" style="border:0" onload="
  const page = this.contentDocument.documentElement;
  document.title = 'widths ' + page.scrollWidth + ' ' + page.clientWidth;
"></iframe>
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser, or a skip that says why."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine")
    return path


def scan(directory: pathlib.Path) -> pathlib.Path:
    """A multirun of two betas, and its page."""
    for index in range(2):
        put_run(directory / str(index), {"theory": {"beta": 2.0 + index}})
    return write_scan_report(directory)


@pytest.fixture(params=["u1", "su3", "scan"])
def page(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    """A report."""
    if request.param == "scan":
        return scan(tmp_path / "run")
    return write_report({"u1": u1_run, "su3": su3_run}[request.param](tmp_path / "run"))


def browse(chromium: str, page: pathlib.Path, *options: str) -> str:
    """Open a page; returns what the browser prints."""
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [chromium, *FLAGS, profile, *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1200, 900)])
def test_page_is_drawn(chromium: str, page: pathlib.Path, width: int, height: int) -> None:
    shot = page.with_name("shot.png")
    browse(chromium, page, f"--screenshot={shot}", f"--window-size={width},{height}")
    image = matplotlib.image.imread(shot)[..., :3]
    assert image.shape[:2] == (height, width)
    background = image[-1, 0]
    inked = np.any(np.abs(image - background) > 0.1, axis=-1)
    # Text and figures in the upper and in the lower half, and not a page of one colour.
    for half in np.array_split(inked, 2):
        assert 0.005 < half.mean() < 0.7


def test_the_tuning_table_is_not_cut(chromium: str, tmp_path: pathlib.Path) -> None:
    """Of three observables, for each of which the same candidate was chosen."""
    run = u1_run(tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    names = ("flowed_energy", "flowed_charge", "plaquette")
    for row in summary["hmc"]["tuning"]:
        row["scores"] = {name: {"value": 4.44e-4, "error": 5e-6} for name in names}
        row["chosen_for"] = dict.fromkeys(names, "best of 4") if row["chosen"] else {}
    (run / "summary.json").write_text(json.dumps(summary))
    probe = write_report(run).with_name("probe.html")
    wide = PROBE.replace("PAGE", "report.html").replace('width="390"', 'width="1200"')
    probe.write_text(wide.replace(".documentElement;", ".querySelector('.tuning');"))
    dom = browse(chromium, probe, "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r"widths (\d+) (\d+)", dom)
    assert found is not None, dom[:500]
    assert int(found[1]) <= int(found[2])


def test_page_fits_a_phone(chromium: str, page: pathlib.Path) -> None:
    probe = page.with_name("probe.html")
    probe.write_text(PROBE.replace("PAGE", page.name))
    dom = browse(chromium, probe, "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r"widths (\d+) (\d+)", dom)
    assert found is not None, dom[:500]
    scroll, client = int(found[1]), int(found[2])
    assert client == 390
    assert scroll == client
