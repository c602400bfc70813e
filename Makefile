# make demo    train a few small models on made-up posters and watch them
# make setup   .venv with everything that development needs
# make test    all tests but those of test-cluster
# make fast    the tests that start no processes: under a minute on two cores; it says what it leaves out
# make places  the dashboard's and the safety tests from three places where checkouts have failed
# make picture draw docs/rooms.svg, the picture of the imports
# make test-cluster    faults on a real Ray cluster of three nodes: minutes, and an idle machine;
#                      ONLY="killed or cancel" runs the tests with these words in their names
# make lint    style, types and import contracts
#
# Each makes .venv if there is none. PYTHON chooses the interpreter (3.11 or newer).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo setup test test-cluster fast places picture lint clean

setup: $(VENV)/.dev

demo: $(VENV)/.train
	$(BIN)/postertui demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not cluster"

test-cluster: $(VENV)/.dev
	$(BIN)/python -m pytest -m cluster -k "$(ONLY)"

fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not process" -q

places: $(VENV)/.dev
	PYTHON=$(BIN)/python tests/places.sh

picture: $(VENV)/.dev
	$(BIN)/python -m tests.support.room_picture

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build *.egg-info demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "python3 -m venv failed; on Debian: apt install python3-venv"; exit 2; }

$(VENV)/.train: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing postertui with TensorFlow (once, a minute or two) ..."
	@$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing postertui with its tests' tools (once, a minute or two) ..."
	@$(PIP) --editable '.[train,jax,ray,classical,dev]'
	@touch $@ $(VENV)/.train
