# Baton's commands. Each sets up what it needs: a Python of 3.11 or newer is enough.
.DEFAULT_GOAL := help
.PHONY: help run test check format lock bench chaos startup clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run:  ## set up what is missing, then serve on 127.0.0.1:8000 (PORT=, BATON_DATA=, BATON_ADMIN_PASSWORD=)
	@sh tools/python tools/bootstrap.py runtime manage.py serve

test:  ## the whole test suite, on SQLite and on the PostgreSQL and Redis that are found (ARGS=tests/runs)
	@sh tools/python tools/bootstrap.py test -m tools.run_tests $(ARGS)

check:  ## format, lint, types, import order, deployment checks, missing migrations, house rules
	@sh tools/python tools/bootstrap.py test -m tools.run_checks

format:  ## rewrite the Python files in the house's format
	@sh tools/python tools/bootstrap.py test -m ruff format .

bench:  ## measure the engine; writes var/reports/bench.json
	@sh tools/python tools/bootstrap.py test -m bench.engine $(ARGS)

chaos:  ## kill, wipe and restart under load; writes var/reports/chaos.json
	@sh tools/python tools/bootstrap.py test -m bench.chaos $(ARGS)

startup:  ## measure a first and a second start in a clean copy; writes var/reports/startup.json
	@sh tools/python tools/bootstrap.py test -m tools.measure_start

lock:  ## resolve requirements/*.in again (needs uv; UPGRADE=1 takes newer releases)
	@sh tools/lock $(if $(UPGRADE),--upgrade)

clean:  ## remove the environment and the caches, never the data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
