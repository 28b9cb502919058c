# Every target works from a fresh clone: what it needs is built by local/bootstrap.py, once per machine.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

SYSTEM_PYTHON ?= python3
ROWS ?= 100000
METHOD ?= BatchWrite
JAVA_MODULE := flink_job/connectors
# The controller's package lies in controller/; in a checkout it is not installed.
export PYTHONPATH := $(CURDIR)/controller

# The Python of the development environment. Asked for when a recipe runs, not before: it may have to be built.
PY = $$($(SYSTEM_PYTHON) -m local.bootstrap --only dev-venv --print-env | sed -n 's/^PY=//p')

.PHONY: help
help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: setup
setup: ## Check this machine, and build and download what is missing (once; about 10 minutes where Kubernetes must be built)
	@$(SYSTEM_PYTHON) -m local.bootstrap

.PHONY: demo
demo: setup ## Import ROWS (100000) rows through the whole stack by METHOD (BatchWrite) and check every item
	@py=$(PY)
	"$$py" -m local.demo --rows $(ROWS) --method $(METHOD)

.PHONY: up
up: setup ## Start the embedded stack, leave it, and print the variables to use
	@py=$(PY)
	"$$py" -m local up

.PHONY: down
down: ## Stop the embedded stack
	@py=$(PY)
	"$$py" -m local down

.PHONY: node
node: setup ## The stack with a real kubelet and Flink operator (root on Linux); leave it, and print what to use
	@py=$(PY)
	"$$py" -m local.node up

.PHONY: node-down
node-down: ## End the node: nothing of it stays
	@py=$(PY)
	"$$py" -m local.node down

.PHONY: node-enter
node-enter: ## A shell in the node's namespaces
	@py=$(PY)
	"$$py" -m local.node enter

.PHONY: node-setup
node-setup: setup ## Install the Debian packages that a node takes
	@py=$(PY)
	"$$py" -m local.node setup

.PHONY: generate
generate: ## Write what is made from other files: the CRD, the chart's files and README, licences, pages of docs/
	@py=$(PY)
	new=$$(mktemp)
	"$$py" -m lindorm_import.api.crd > "$$new"
	cat "$$new" > crds/lindormimports.lindorm.io.yaml
	rm "$$new"
	"$$py" -m dev.chart
	"$$py" -m dev.docs

.PHONY: docs
docs: ## Build the docs site into site/; a broken link is an error
	@checks=$$($(SYSTEM_PYTHON) -m local.bootstrap --only checks --print-env | sed -n 's/^CHECKS=//p')
	NO_MKDOCS_2_WARNING=1 "$$checks/bin/mkdocs" build
	echo "site/index.html"

.PHONY: lint
lint: ## Style of Python and Java, types and layers; the Dockerfile and the workflows
	@py=$(PY)
	"$$py" -m ruff check .
	"$$py" -m ruff format --check .
	"$$py" -m mypy
	"$$(dirname "$$py")/lint-imports" --no-logo
	"$$(dirname "$$py")/hadolint" Dockerfile
	"$$(dirname "$$py")/zizmor" --quiet --offline --persona regular .github
	mvn -B -q spotless:check

.PHONY: format
format: format-java ## Write Python and Java as lint wants them
	@py=$(PY)
	"$$py" -m ruff check --fix .
	"$$py" -m ruff format .

.PHONY: format-java
format-java: ## The Java part of format
	@mvn -B -q spotless:apply

.PHONY: pre-commit
pre-commit: ## The part of lint that takes a second
	@py=$(PY)
	"$$py" -m ruff check .
	"$$py" -m ruff format --check .

.PHONY: check-generated
check-generated: ## Whether make generate would change anything
	@py=$(PY)
	"$$py" -m pytest tests/controller/test_crd.py tests/ship/test_chart.py -k "make_generate_writes or is_up_to_date"

.PHONY: chart
chart: ## Package the chart for a release: VERSION, and both images by digest in CONTROLLER_IMAGE and JOB_IMAGE
	@py=$(PY)
	"$$py" -m dev.release chart "$(VERSION)" "$(CONTROLLER_IMAGE)" "$(JOB_IMAGE)" dist

.PHONY: release-notes
release-notes: ## What the changelog says about VERSION
	@py=$(PY)
	"$$py" -m dev.release notes "$(VERSION)"

.PHONY: test-java
test-java: ## The tests of the Java module
	@mvn -B -q -f $(JAVA_MODULE)/pom.xml verify

.PHONY: test-fast
test-fast: ## The tests that need no server (under a minute)
	@py=$(PY)
	"$$py" -m pytest -m "not stack and not slow and not node"

.PHONY: test-node
test-node: setup ## Imports on a real kubelet with a real Flink operator (root on Linux; make node-setup before)
	@py=$(PY)
	"$$py" -m pytest -m node tests/node

.PHONY: test
test: setup lint test-java ## Everything but test-node
	@$(SYSTEM_PYTHON) -m local.bootstrap --only tools
	py=$(PY)
	"$$py" -m pytest -m "not node"

.PHONY: bench
bench: ## Measure speed, cost and capacity into bench/results.json and docs/benchmarks.md; QUICK=1: within 5 minutes
	@py=$(PY)
	"$$py" -m bench $(if $(QUICK),--quick)

.PHONY: clean
clean: down node-down ## Remove what a checkout has made of itself (not the cache of the machine)
	@rm -rf .stack .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache $(JAVA_MODULE)/target
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
