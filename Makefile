# The two commands: `make run` (the main job) and `make test` (the tests). Both set up what they need.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run example setup help test torture attack audit check search bench pictures docs lock clean test-tools

run: setup
	@bash -eu -o pipefail -c '\
	  echo "== trust: this clone may run its own code from now on (furrow trust --revoke takes it back)"; furrow trust; \
	  echo "== data"; python -m pipelines.ingest; \
	  echo "== dvc repro"; dvc repro; \
	  echo "== runs, online features, predictions"; \
	  python -m pipelines.tour'

# One of examples/ in a repository of its own: `make example NAME=shop`.
example: setup
	@python tools/run_example.py $(NAME)

setup: .venv/.ready

help:
	@printf '%s\n' \
	  'make run       set up .venv, land the data, run every stage, predict three real flights, serve one' \
	  'make example   one of examples/ in a repository of its own: NAME=shop' \
	  'make test      the tests, with the tools that they need from Debian' \
	  'make setup     the environment alone' \
	  'make check     format, lint, types, layers' \
	  'make search    new examples for the property tests, and the tests of many minutes' \
	  'make bench     every claim of speed against its peers (an environment of its own, 1.5 GB)' \
	  'make pictures  the pictures in README.md' \
	  'make docs      the site of docs/, with a reference and a search: build/docs' \
	  'make attack    what a hostile repository, request or file would try' \
	  'make torture   random stories with kills and full disks against a model of what must hold (SEED=1 MINUTES=5)' \
	  'make audit     the lock files against a list of known faults (DATABASE=FOLDER of OSV records)' \
	  'make lock      the lock files anew, after a change of pyproject.toml' \
	  'make clean     remove build/ and .furrow/'

.venv/.ready: requirements.lock requirements-uv.lock pyproject.toml
	@echo "== setting up .venv from requirements.lock"
	@python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "this clone is locked for Python 3.11, this is %d.%d: Furrow itself installs on 3.11 to 3.14 (pip install .)" % sys.version_info[:2])'
	@test -x .venv/bin/python || python3 -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@.venv/bin/uv pip install --python .venv/bin/python --compile-bytecode --require-hashes -r requirements.lock
	@.venv/bin/uv pip install --python .venv/bin/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# What only the tests need: Spark, psycopg, and Debian's Redis, PostgreSQL, Java, Chromium and GnuPG.
test-tools: setup .venv/.spark .venv/.postgres .venv/.yaml-server
	@missing=""; \
	  command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	  command -v java >/dev/null || missing="$$missing default-jre-headless"; \
	  command -v chromium >/dev/null || missing="$$missing chromium"; \
	  command -v gpg >/dev/null && command -v gpg-agent >/dev/null || missing="$$missing gpg gpg-agent gpgconf"; \
	  ldconfig -p | grep -q libgomp.so.1 || missing="$$missing libgomp1"; \
	  if [ -n "$$missing" ]; then \
	    echo "== the tests need Debian packages:$$missing (apt-get install)"; \
	    as=""; [ "$$(id -u)" = 0 ] || as=sudo; \
	    $$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  fi

.venv/.spark: requirements-spark.lock | .venv/.ready
	@echo "== adding Spark for the tests"
	@.venv/bin/uv pip install --python .venv/bin/python --compile-bytecode --require-hashes -r requirements-spark.lock
	@touch $@

# One test asks an editor's language server; where npm is not, or reaches nothing, it is skipped.
.venv/.yaml-server: | .venv/.ready
	@if command -v npm >/dev/null && npm install --prefix .venv/yaml-server --silent --no-fund --no-audit --ignore-scripts yaml-language-server@1.25.0; \
	  then touch $@; else echo "== no yaml-language-server: its test is skipped"; fi

.venv/.postgres: requirements-postgres.lock | .venv/.ready
	@echo "== adding psycopg for the tests"
	@.venv/bin/uv pip install --python .venv/bin/python --compile-bytecode --require-hashes -r requirements-postgres.lock
	@touch $@

# The tests run the code of this clone: who runs them has said so.
test search attack: export FURROW_TRUST := 1

# Examples that no run has seen yet, thousands of them, against what must hold for all; and the tests of many minutes.
# Where atheris is installed (the extra `fuzz`), it goes on with every reader of outside input for MINUTES more.
search: test-tools
	@HYPOTHESIS_PROFILE=search python -m pytest --numprocesses 2 --dist loadscope -m "hypothesis or long"
	@python tools/fuzz.py --minutes $(or $(MINUTES),4) || test $$? = 3

test: test-tools
# Three processes on two cores: stories wait for servers, locks and clocks.
	@python -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder -m "not long"

# Random edits, merges, notes, versions, predictions, kills and full disks, told as stories of SEED for MINUTES, against a
# model of what must hold; a story that breaks it is shortened.
torture: setup
	@python -m tests.torture.story $(or $(SEED),1) $(or $(MINUTES),5)

# What a hostile repository, request or file tries: as root and as nobody, in paths with spaces, with namespaces and without.
attack: test-tools
	@bash tools/attack.sh $(ARGUMENTS)

# The lock files against a list of known faults: a folder of OSV records for PyPI, which whoever runs this brings.
audit: setup
	@test -n "$(DATABASE)" || { echo "make audit DATABASE=FOLDER (of OSV records for PyPI)"; exit 2; }
	@python tools/lock_audit.py --database "$(DATABASE)" requirements.lock requirements-uv.lock requirements-spark.lock requirements-postgres.lock

check: setup
	ruff format --check .
	ruff check .
	mypy
	lint-imports

# Every claim of speed on small sizes, beside its peers in an environment of their own; one table at the end.
bench: test-tools .venv-peers/.ready .venv-peers-drift/.ready
	@.venv-peers/bin/python -m benchmarks.run_all

# The pictures in README.md, of this repository's own pages.
pictures: test-tools
	@python tools/pictures.py

# The site of docs/, with a reference made from the code and a search that needs no network: build/docs/index.html.
docs: setup
	@python tools/docs_site.py

.venv-peers-drift/.ready: requirements-peers-drift.lock | .venv/.ready
	@echo "== setting up .venv-peers-drift: Evidently, NannyML and shap, which want other versions (about 1.5 GB)"
	@test -x .venv-peers-drift/bin/python || python3 -m venv .venv-peers-drift
	@.venv/bin/uv pip install --python .venv-peers-drift/bin/python --compile-bytecode --require-hashes -r requirements-peers-drift.lock
	@.venv/bin/uv pip install --python .venv-peers-drift/bin/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv-peers/.ready: requirements-peers.lock | .venv/.ready
	@echo "== setting up .venv-peers: what the benchmarks measure beside Furrow (about 1.5 GB)"
	@test -x .venv-peers/bin/python || python3 -m venv .venv-peers
	@.venv/bin/uv pip install --python .venv-peers/bin/python --compile-bytecode --require-hashes -r requirements-peers.lock
	@.venv/bin/uv pip install --python .venv-peers/bin/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Locked again after a change of pyproject.toml.
lock: setup
	uv pip compile pyproject.toml --extra redis --extra s3 --extra serve --extra ui --extra dev --generate-hashes --no-emit-index-url --python-version 3.11 -q -o requirements.lock
	uv pip compile pyproject.toml benchmarks/peers.in --extra redis --extra serve --extra dev --generate-hashes --no-emit-index-url --python-version 3.11 -q -o requirements-peers.lock
	uv pip compile pyproject.toml benchmarks/peers_drift.in --generate-hashes --no-emit-index-url --python-version 3.11 -q -o requirements-peers-drift.lock
	echo uv | uv pip compile - --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements-uv.lock
	echo pyspark | uv pip compile - -c requirements.lock --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements-spark.lock
	echo 'psycopg[binary]' | uv pip compile - -c requirements.lock --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements-postgres.lock

clean:
	rm -rf build .furrow
