# The two commands of the README, and the weights. Each makes .venv where it is missing;
# `make test PYTHON=python3.12 VENV=.venv-3.12` tests with another Python.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
UPSTREAM ?= .venv-upstream
DEMO := seam-keymass_r18-fpn_1xb8-600_phantom-256x128
DATA := data/demo
RUN := work_dirs/demo

READY := seam-keymass-votes_r18-fpn_1xb4-10800_phantom-512x128
WEIGHTS := seam_seg/weights/seam-keymass-votes_r18-fpn.pth

.PHONY: demo docs test test-install test-upstream fuzz weights

$(VENV)/installed: requirements.txt setup.py seam_seg_cli.py
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -r requirements.txt
	$(PY) -m pip install --quiet --no-build-isolation --no-deps -e .
	$(PY) -c 'import seam_seg'
	touch $@

# A phantom, what trivial predictors score on it, training (it goes on where it was
# interrupted), the Dice/Jaccard table, and pictures.
demo: $(VENV)/installed
	$(PY) tools/make_phantom.py $(DATA) --num-train 40 --num-test 12 --overwrite
	$(PY) -m studies.demo.trivial_baselines $(DATA) --out $(RUN)/results.csv
	$(PY) tools/train.py $(DEMO) --data-root $(DATA) --work-dir $(RUN) --resume
	$(PY) tools/test.py $(DEMO) $(RUN)/best_bone_mDice_iter_*.pth --data-root $(DATA) \
		--work-dir $(RUN) --out $(RUN)/test/labels --show-dir $(RUN)/test/overlays
	@echo 'table: $(RUN)/test/dice_jaccard.json; pictures: $(RUN)/test/overlays'

# A library that one study alone needs, beside the environment (studies/peer).
$(VENV)/peer/installed: studies/peer/requirements.txt $(VENV)/installed
	$(PY) -m pip install --quiet --no-deps --upgrade --target $(VENV)/peer -r $<
	touch $@

test: $(VENV)/installed $(VENV)/peer/installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) studies/report.py --check
	$(PY) -m pytest

# What needs an environment of its own (it is made, and torch installed there), or a browser:
# minutes.
test-install: $(VENV)/installed $(VENV)/docs/installed
	$(PY) -m pytest -n 0 -m install

# The pages as a site, with an API page from the docstrings.
$(VENV)/docs/installed: docs/requirements.txt $(VENV)/installed
	$(PY) -m pip install --quiet --upgrade --target $(VENV)/docs -r $<
	touch $@

docs: $(VENV)/docs/installed
	PYTHONPATH=$(VENV)/docs $(PY) -m sphinx --quiet --fresh-env --fail-on-warning \
		--conf-dir docs . build/site
	@echo 'site: build/site/index.html'

# The suite on upstream OpenMMLab, in an environment of its own; PYTHON is 3.10 or 3.11.
# mmcv-lite has no compiled operations, which mmseg imports: there each of them raises.
$(UPSTREAM)/installed: tests/upstream/requirements.txt tests/upstream/_ext.py setup.py
	$(PYTHON) -m venv $(UPSTREAM)
	$(UPSTREAM)/bin/python -m pip install --quiet -r $<
	$(UPSTREAM)/bin/python -m pip install --quiet --no-build-isolation --no-deps -e .
	cp tests/upstream/_ext.py $(UPSTREAM)/lib/python3.*/site-packages/mmcv
	$(UPSTREAM)/bin/python -c 'import seam_seg'
	touch $@

test-upstream: $(UPSTREAM)/installed
	$(UPSTREAM)/bin/python -m pytest

# What the suite draws a few times, drawn anew and often: minutes.
fuzz: $(VENV)/installed
	$(PY) -m pytest -n 0 tests/test_fuzz.py --hypothesis-profile=long

# The ready weights again: an hour and a half at most, then what their card shows. With one
# thread, since sums differ in their last bits by the number of threads.
weights: export OMP_NUM_THREADS = 1
weights: $(VENV)/installed
	$(PY) tools/make_phantom.py data/weights --preset standard hard realistic noise \
		texture hard curve lumbar --num-train 2560 --num-test 8 --seed 10 --overwrite
	$(PY) tools/train.py $(READY) --data-root data/weights --work-dir work_dirs/weights \
		--resume
	$(PY) tools/publish_model.py work_dirs/weights/best_bone_mDice_iter_*.pth $(WEIGHTS)
	$(PY) -m studies.ready_weights.score_families $(WEIGHTS) --part test --method ready
	$(PY) -m studies.ready_weights.ceiling --part test
	$(PY) studies/report.py ready_weights
