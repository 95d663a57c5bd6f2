# Every target sets up what it needs by itself; `make` alone says what there is.
# PYTHON=/path/to/python chooses the interpreter.

PY = .venv/bin/python
RULES = rules
# The compiled knowledge and templates that a wheel ships; in a checkout they save reading and compiling at each start.
COMPILED = doctor/data/rules.json doctor/data/templates/report_html_j2.py

.PHONY: help setup demo test check format texts matrix bench mutate lab lab-heal lab-record lab-random roots clean pyz dist collector site outputs

help: ## say what there is to make (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: ## install into .venv what is not there yet
	@sh tools/setup.sh

doctor/data/rules.json: $(shell find $(RULES) -name '*.yaml') $(patsubst %,doctor/knowledge/%.py,compile lower profiles store) | setup
	@$(PY) -c "from pathlib import Path; from doctor.knowledge.compile import write; write(Path('$(RULES)'), Path('$@'))"

doctor/data/templates/report_html_j2.py: $(wildcard report_templates/*.j2) doctor/report/templates.py | setup
	@$(PY) -c "from pathlib import Path; from doctor.report.templates import compile_into; compile_into(Path('$(@D)'))"

demo: setup $(COMPILED) ## a report in the terminal, and every sample in every format behind demo/index.html
	@sh tools/demo.sh

test: setup $(COMPILED) ## run all tests
	@$(PY) -m pytest

check: setup ## everything that must hold before a commit: format, lint, types, rules, tests
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy doctor tests tools hatch_build.py
	$(PY) -m yamllint --strict $(RULES)
	@sh tools/shellcheck.sh
	.venv/bin/passdoctor rules lint
	$(PY) tools/gate.py $(RULES)
	$(PY) tools/texts.py --check
	$(PY) -m pytest

format: setup ## put the Python files into the house's format
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

texts: setup ## renew the template of all texts, rules/locale/passdoctor.pot, and merge it into the catalogues
	@$(PY) tools/texts.py

matrix: setup ## renew docs/platforms.md, how each step of a plan is proven on each platform
	@$(PY) tools/matrix.py

pyz: setup ## build dist/passdoctor-collect.pyz, the collector alone, for hosts without passdoctor
	@$(PY) tools/pyz.py

dist: setup ## build dist/: source archive, wheel, collector and Debian packages, the same bytes from the same commit
	@sh tools/dist.sh

collector: setup ## renew what the collector knows of the rules, doctor/collect/generated.py
	@$(PY) tools/collector.py

bench: setup $(COMPILED) ## measure time and memory, as ratios to the start of the interpreter
	@$(PY) tools/bench.py

mutate: setup $(COMPILED) ## change the rules clause by clause and see whether a case notices; CHECK=name for one
	@$(PY) tools/mutate.py $(CHECK)

lab: setup ## boot real kernels and hold the tool against VFIO; SCENARIO=name for one; needs root and QEMU: docs/lab.md
	@PYTHONPATH=tests $(PY) -m lab.run $(SCENARIO)

lab-heal: setup ## heal hosts by the tool's own script and a real reboot, and take it back: docs/lab.md
	@PYTHONPATH=tests $(PY) -m lab.run --heal

lab-record: setup ## as lab, and renew samples/lab and samples/healed; SCENARIO=name for one, HEAL=1 for all that are healed
	@PYTHONPATH=tests $(PY) -m lab.run --record $(if $(HEAL),--heal) $(SCENARIO)

lab-random: setup ## hosts drawn by chance, held against VFIO: SEED=first COUNT=how many HEAL=1 to heal them; or KEEP=1
	@PYTHONPATH=tests $(PY) -m lab.chance $(if $(KEEP),--keep,--seed $(or $(SEED),1) --count $(or $(COUNT),1) $(if $(HEAL),--heal))

roots: setup $(COMPILED) ## run the scripts of plans in Debian roots; TRY=words for some of them; needs root: docs/platforms.md
	@$(PY) tools/roots.py --try "$(TRY)"

site: setup $(COMPILED) ## build the documentation site, build/site, without the network
	@$(PY) tools/website.py

outputs: setup $(COMPILED) ## renew what the documents show of the tool's output; look at what has changed
	@$(PY) tools/outputs.py

clean: ## remove everything that was made, .venv too
	rm -rf .venv demo dist build .mypy_cache .ruff_cache .pytest_cache doctor/data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
