# One word for everything.  `make demo` is the place to start.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo up test test-contract check format bench chaos lock browser clean
help: ## say what each word does
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/base.stamp ## do the main job in front of you, then keep serving (ARGS=--exit stops)
	@$(BIN)/python -m demo $(ARGS)

up: $(VENV)/base.stamp ## serve the farm on this machine (ARGS="--port 8080")
	@$(BIN)/python manage.py up $(ARGS)

test: ARGS ?= -n 2
test: $(VENV)/dev.stamp browser ## run every test, two at a time (ARGS="tests/billing -x" for some)
	@$(BIN)/python manage.py build_static
	@$(BIN)/python -m pytest $(ARGS)

test-contract: $(VENV)/dev.stamp ## the sandbox's contract; with CLUSTER_KUBECONFIG=FILE a real cluster's
	@$(BIN)/python -m pytest tests/contract $(ARGS)

check: $(VENV)/dev.stamp ## format, lint, imports, types, missing migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run

format: $(VENV)/dev.stamp ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp ## measure; ONLY=name for one
	@$(BIN)/python -m benchmarks $(ONLY)

chaos: $(VENV)/base.stamp ## break a farm for five minutes and account for every second (ARGS="--seed 7")
	@$(BIN)/python -m benchmarks.chaos $(ARGS)

lock: $(VENV)/dev.stamp ## lock requirements/*.in with hashes
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --python-version 3.11 requirements/base.in -o requirements/base.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --python-version 3.11 requirements/dev.in -o requirements/dev.txt

browser: # Debian's Chromium for the browser tests; they fail, and say so, without it
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -y -q chromium; \
	  else echo "missing: chromium.  The browser tests will fail; as root: apt-get install chromium"; fi; }

$(VENV)/base.stamp: requirements/base.txt
	@echo "Installing the packages of requirements/base.txt into $(VENV) (a minute or two, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --require-hashes --no-deps -r requirements/base.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/base.stamp
	@echo "Installing the packages of requirements/dev.txt into $(VENV)"
	@$(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

clean: ## remove what was installed and built; the data of the farm stay
	rm -rf $(VENV) portal/web/frontend/node_modules portal/web/static/build
