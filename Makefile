PYTHON ?= python3
OLDEST_PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test faults fuzz lint docs oldest environment clean

environment: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: environment
	$(BIN)/hybridfactory demo

test: environment
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# Runs killed at 500 random moments and before every step, and every kind of fault: the suite has a share of it.
faults: environment
	$(BIN)/python -m pytest tests/faults --kills 500

# A hundred thousand spoilt files, then a search for more by coverage, FUZZ_SECONDS for each format.
FUZZ_SECONDS ?= 60
fuzz: environment
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python fuzz/campaign.py --inputs 100000 --log build/fuzz-finds.jsonl
	$(BIN)/python fuzz/coverage_guided.py --list | while read -r name; do \
		$(BIN)/python fuzz/coverage_guided.py "$$name" -max_total_time=$(FUZZ_SECONDS) || exit 1; done

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site goes to build/site. The figures are drawn once: remove build/ to draw them anew.
docs: environment
	$(BIN)/python docs/figures.py build/figures
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The suite with the oldest Python and the lowest versions that pyproject.toml allows. What old releases say of newer
# ones is theirs, so that warnings of that kind are no errors.
oldest:
	$(OLDEST_PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet uv
	$(VENV)-oldest/bin/uv pip install --quiet --python $(VENV)-oldest --resolution lowest-direct --editable '.[dev]'
	$(VENV)-oldest/bin/uv pip list --python $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pytest \
		-W default::DeprecationWarning -W default::PendingDeprecationWarning -W default::FutureWarning $(TESTS)

clean:
	rm -rf $(VENV) $(VENV)-oldest build .pytest_cache .mypy_cache .ruff_cache
