# Everything is done by tests/runner; `make test ARGS="--only lint"` passes options on.
PYTHON ?= python3
RUN = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m tests.runner

.PHONY: site test test-all fuzz bench clean

site:
	@$(RUN) site $(if $(INVENTORY),--inventory "$(INVENTORY)") $(ARGS)

test:
	@$(RUN) test $(ARGS)

test-all:
	@$(RUN) test --long $(ARGS)

fuzz:
	@$(RUN) fuzz $(ARGS)

bench:
	@$(RUN) bench $(ARGS)

clean:
	rm -rf .build .venv .ansible tests/output
