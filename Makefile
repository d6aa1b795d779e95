# Each target first makes a virtual environment. It needs Python 3.11 or newer, make and git.
#
#   make quick     train the quick suite, print its verdicts, write its report (takes minutes)
#   make test      run the linter, the type checker and the tests
#   make smoke     train the smallest suite and check its claims (takes a minute)
#   make slow      run the tests that train for minutes
#   make figures   draw the figures in README.md and results/README.md, from the stored results
#   make clean     remove the virtual environment and all files that these targets made

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: quick test smoke slow figures clean

quick: $(INSTALLED)
	$(BIN)/grokbench run suites/quick.toml --out build/quick
	$(BIN)/grokbench report build/quick

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile

smoke: $(INSTALLED)
	rm -rf build/smoke
	$(BIN)/grokbench run suites/smoke.toml --out build/smoke --budget 10m
	$(BIN)/grokbench check build/smoke --junit-xml build/smoke/claims.xml

slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

figures: $(INSTALLED)
	mkdir -p build
	$(BIN)/grokbench report results/quick --output build/quick-stored.html --figures docs/images/quick
	$(BIN)/grokbench report results/quick-fixed --output build/quick-fixed.html --figures docs/images
	$(BIN)/grokbench report results/paper-lite --output build/paper-lite.html --figures docs/images/paper-lite
	$(BIN)/grokbench report results/paper-fixed --output build/paper-fixed.html --figures docs/images/paper-fixed

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The environment is made again when pyproject.toml or constraints.txt changes. The file .installed is
# written last, so an interrupted installation starts over.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "grokbench needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@
