# `make demo` and `make test` are the two commands; each does all the set-up it needs.
.DEFAULT_GOAL := help
PY := .venv/bin/python
T ?= tests
WORKERS ?= 2
PG ?=
S ?= decision visible revoke gateway ingest console

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: ## everything on this machine: database, gateway, sandbox, a lived-in workspace
	@tools/setup runtime
	@.venv/bin/portero demo $(ARGS)

test: ## lint, types, arrows and every test but the long ones (T=path for a part, PG=15 for a server)
	@tools/setup dev
	@tools/needs
	@$(MAKE) --no-print-directory check
	bin=$$(tools/postgres $(PG)) && PORTERO_PG_BIN=$${bin:-$$PORTERO_PG_BIN} \
		$(PY) -m pytest $(T) -q -n $(WORKERS) --dist loadscope -m "not long"

test-long: ## the long proofs: kills, storms, millions
	@tools/setup dev
	bin=$$(tools/postgres $(PG)) && PORTERO_PG_BIN=$${bin:-$$PORTERO_PG_BIN} $(PY) -m pytest $(T) -q -m long

bench: ## the figures beside rivals (S="decision gateway" for some)
	@tools/setup dev
	@tools/needs bench
	@for subject in $(S); do .venv/bin/portero bench $$subject --json .portero/bench-$$subject.json || exit; done

setup: ## only install
	@tools/setup dev

check: ## lint, types, import arrows
	@tools/setup dev
	.venv/bin/ruff check src tests tools
	.venv/bin/ruff format --check -q src tests tools
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

fix: ## let ruff mend what it can
	@tools/setup dev
	.venv/bin/ruff check --fix src tests tools
	.venv/bin/ruff format src tests tools

lock: ## resolve requirements/*.in again; the locks hold hashes and no URL
	@tools/setup dev
	for set in tools runtime dev; do .venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --no-annotate --universal --python-version 3.11 requirements/$$set.in -o requirements/$$set.lock; done

.PHONY: help demo test test-long bench setup check fix lock
