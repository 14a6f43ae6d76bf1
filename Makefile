# Two commands do all the set-up: `make up` (a running cluster) and `make test` (every test).
# What each target does is in scripts/; this file only names them.
.DEFAULT_GOAL := help
.PHONY: help setup up down test verify soak

help: ## Lists the targets.
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

setup: ## Installs what is missing; quick when nothing is.
	@scripts/setup

up: setup ## Builds, starts a cluster on this machine, runs a workload, and shows it.
	@scripts/up

down: ## Stops that cluster; its data stay (`make down PURGE=1` removes them).
	@scripts/down

test: setup ## Builds and runs every test.
	@scripts/test

verify: setup ## Formatting, lints and tidy checks: the one command before a commit.
	@scripts/verify

soak: setup ## Long runs; results go to docs/soak.md.
	@scripts/soak
