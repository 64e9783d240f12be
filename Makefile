# Everything runs in .venv, which is made on first use from python3 alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
FRAMEWORKS := .venv-frameworks

.PHONY: demo test exactness exactness-sun coverage slow horovod test-frameworks slurm test-slurm browser docs dist bench bench-full notebooks clean

demo: $(INSTALLED)  ## a trained flow against tuned HMC, in minutes; prints the report's path
	$(BIN)/gaugemc mode=demo

test: $(INSTALLED)  ## format, lint, types, and all tests but the slow ones
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not browser and not slurm"

exactness: $(INSTALLED)  ## the long statistical proof: 40 seeds of every sampler; ONLY="2.0" for one beta
	$(BIN)/pytest -n 2 -m slow tests/test_exactness.py $(if $(ONLY),-k "$(ONLY)")

exactness-sun: $(INSTALLED)  ## the same for SU(N): exact plaquettes in 2D, strong coupling and two algorithms in 4D
	$(BIN)/pytest -n 2 -m slow tests/test_exactness_sun.py tests/test_strong_coupling.py

coverage: $(INSTALLED)  ## whether error bars cover: 1000 repetitions of known chains, the table of docs/exactness.md
	$(BIN)/pytest -s tests/statistics/test_coverage.py

slow: $(INSTALLED)  ## every test that `make test` leaves out for its time, the long proof included
	$(BIN)/pytest -n 2 -m slow

horovod: $(FRAMEWORKS)/installed  ## Horovod for PyTorch and TensorFlow: compiled once, in minutes, and kept in the user's cache
	$(FRAMEWORKS)/bin/python -m gaugemc.interop.build_horovod

test-frameworks: horovod  ## PyTorch, TensorFlow, DeepSpeed and Horovod, in an environment of their own, train as JAX does
	$(FRAMEWORKS)/bin/pyright --pythonpath $(FRAMEWORKS)/bin/python src/gaugemc/interop tests/interop benchmarks/frameworks.py
	$(FRAMEWORKS)/bin/pytest -rs -n 2 --dist worksteal tests/interop
	$(FRAMEWORKS)/bin/pytest -m slow -k "notebooks_run and pytorch" tests/test_docs.py

slurm:  ## SLURM of Debian, for its test
	@{ command -v slurmctld && command -v munged; } >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null; } || \
	  { echo "there is no SLURM here, and installing it needs root and apt-get"; exit 1; }
	{ command -v slurmctld && command -v munged; } >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge; }

test-slurm: $(INSTALLED) slurm  ## batch jobs on a SLURM of their own: requeued, resumed, an array; in two or three minutes
	$(BIN)/pytest -m slurm tests/conf/test_slurm.py

browser: $(INSTALLED)  ## the report in headless Chromium
	$(BIN)/pytest -m browser

docs: $(INSTALLED)  ## the manual, in site/: open site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(INSTALLED)  ## wheel and source archive in dist/, checked, and run in an empty environment
	rm -rf dist build/dist
	$(BIN)/pip install --quiet --editable ".[dist]"
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv build/dist
	build/dist/bin/pip install --quiet dist/*.whl
	cd build/dist && env -u PYTHONPATH bin/gaugemc mode=demo evaluate.draws=200 evaluate.hmc_draws=500 progress=false hydra.run.dir=run
	test -s build/dist/run/report.html -a -s build/dist/run/summary.json

notebooks: $(INSTALLED)  ## run the notebooks again, in place, but for those in PyTorch
	$(BIN)/jupyter execute --inplace $(filter-out %_pytorch.ipynb,$(wildcard examples/*.ipynb))

bench: $(INSTALLED)  ## the numbers of the project and two peers, as a table and JSON, in minutes
	$(BIN)/pip install --quiet --editable ".[bench]"
	$(BIN)/python benchmarks/bench.py

bench-full: $(INSTALLED)  ## the same and larger lattices, in about an hour; writes docs/benchmarks.md
	$(BIN)/pip install --quiet --editable ".[bench]"
	$(BIN)/python benchmarks/bench.py --full --markdown docs/benchmarks.md

clean:
	rm -rf $(VENV) $(FRAMEWORKS) .pytest_cache site outputs

# PyTorch first: what comes later would bring a larger one.
$(FRAMEWORKS)/installed: pyproject.toml
	$(PYTHON) -m venv $(FRAMEWORKS)
	$(FRAMEWORKS)/bin/pip install --quiet --upgrade pip setuptools wheel
	$(FRAMEWORKS)/bin/pip install --quiet torch==2.13.0
	$(FRAMEWORKS)/bin/pip install --quiet --editable ".[torch,tensorflow,test]"
	DS_BUILD_OPS=0 DS_ACCELERATOR=cpu $(FRAMEWORKS)/bin/pip install --quiet --no-build-isolation deepspeed==0.19.8
	touch $(FRAMEWORKS)/installed

$(INSTALLED): pyproject.toml
	@echo "installing gaugemc and its tools in $(VENV), once: some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[test,docs]"
	touch $(INSTALLED)
