# Everything a newcomer needs: `make demo` and `make test`. Both set up .venv first.
.DEFAULT_GOAL := help
.PHONY: help setup demo test study check docs bench app lock clean
BIN := .venv/bin
READY := .venv/.ready
DEMO ?= demo
STUDIES ?= $(sort $(wildcard benchmarks/study_*.py))
# The matrices are small: more threads would only wait for each other.
export OPENBLAS_NUM_THREADS ?= 1

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install everything, pinned and checked by hash

$(READY): requirements.lock pyproject.toml scripts/find-python
	@python=$$(sh scripts/find-python) && echo "Setting up .venv with $$($$python --version) (a minute or two, once)" && $$python -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## run the whole product on a simulated company whose truth is known
	@$(BIN)/theodolite demo $(DEMO)

test: $(READY) ## run the tests (about 20 minutes on 2 cores)
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

study: $(READY) ## run the slow tests and all studies, whose tables are committed (hours; STUDIES=... for some)
	@$(BIN)/python -m pytest -m slow
	@for study in $(STUDIES); do echo "== $$study"; $(BIN)/python $$study || exit 1; done

check: $(READY) ## style, types and the floors of the house
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(READY) ## build the documentation into site/
	@$(BIN)/python -m docs.build

bench: $(READY) ## time what must be fast, each against a reference in the same run
	@for bench in benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

app: $(READY) ## open the web app on the demo's workspace (DEMO=... for another)
	@test -f $(DEMO)/theodolite.toml || $(BIN)/theodolite demo $(DEMO)
	@$(BIN)/theodolite serve --workspace $(DEMO)

lock: ## pin the dependencies again (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --all-extras --python-version 3.12 pyproject.toml -o requirements.lock

clean: ## remove what set-up and runs have made
	rm -rf .venv $(DEMO) dist build site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
