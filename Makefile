# Two commands do all the set-up: `make up` (a running cluster) and `make test` (every test).
# What each target does is in scripts/; this file only names them.
.DEFAULT_GOAL := help
.PHONY: help setup tools up up-one down test verify soak

help: ## Lists the targets.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

setup: ## Installs what is missing; quick when nothing is.
	@scripts/setup

tools: setup ## Installs the stock clients that tests drive: Helm, client-go, Python's package.
	@scripts/tools

up: setup ## Builds, starts five machines on this host, runs a workload, kills two of them, and shows what comes back.
	@scripts/up

up-one: setup ## The same with a cluster of one process, without the killing.
	@scripts/up one

down: ## Stops that cluster; its data stay (`make down PURGE=1` removes them).
	@scripts/down

test: setup tools ## Builds and runs every test.
	@scripts/test

verify: setup ## Formatting, lints and tidy checks: the one command before a commit.
	@scripts/verify

soak: setup tools ## Long runs; results go to docs/soak.md.
	@scripts/soak
