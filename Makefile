# The two commands of the README, and the weights. Each makes .venv where it is missing.
PYTHON ?= python3
PY := .venv/bin/python
DEMO := seam-keymass_r18-fpn_1xb8-600_phantom-256x128
DATA := data/demo
RUN := work_dirs/demo

READY := seam-keymass-votes_r18-fpn_1xb4-10800_phantom-512x128
WEIGHTS := seam_seg/weights/seam-keymass-votes_r18-fpn.pth

.PHONY: demo test test-install fuzz weights

.venv/installed: requirements.txt setup.py seam_seg_cli.py
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet -r requirements.txt
	$(PY) -m pip install --quiet --no-build-isolation --no-deps -e .
	$(PY) -c 'import seam_seg'
	touch $@

# A phantom, what trivial predictors score on it, training (it goes on where it was
# interrupted), the Dice/Jaccard table, and pictures.
demo: .venv/installed
	$(PY) tools/make_phantom.py $(DATA) --num-train 40 --num-test 12 --overwrite
	$(PY) -m studies.demo.trivial_baselines $(DATA) --out $(RUN)/results.csv
	$(PY) tools/train.py $(DEMO) --data-root $(DATA) --work-dir $(RUN) --resume
	$(PY) tools/test.py $(DEMO) $(RUN)/best_bone_mDice_iter_*.pth --data-root $(DATA) \
		--work-dir $(RUN) --out $(RUN)/test/labels --show-dir $(RUN)/test/overlays
	@echo 'table: $(RUN)/test/dice_jaccard.json; pictures: $(RUN)/test/overlays'

# A library that one study alone needs, beside the environment (studies/peer).
.venv/peer/installed: studies/peer/requirements.txt .venv/installed
	$(PY) -m pip install --quiet --no-deps --upgrade --target .venv/peer -r $<
	touch $@

test: .venv/installed .venv/peer/installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) studies/report.py --check
	$(PY) -m pytest

# What needs an environment of its own (it is made, and torch installed there), or a browser:
# minutes.
test-install: .venv/installed
	$(PY) -m pytest -n 0 -m install

# What the suite draws a few times, drawn anew and often: minutes.
fuzz: .venv/installed
	$(PY) -m pytest -n 0 tests/test_fuzz.py --hypothesis-profile=long

# The ready weights again: an hour and a half at most, then what their card shows. With one
# thread, since sums differ in their last bits by the number of threads.
weights: export OMP_NUM_THREADS = 1
weights: .venv/installed
	$(PY) tools/make_phantom.py data/weights --preset standard hard realistic noise \
		texture hard curve lumbar --num-train 2560 --num-test 8 --seed 10 --overwrite
	$(PY) tools/train.py $(READY) --data-root data/weights --work-dir work_dirs/weights \
		--resume
	$(PY) tools/publish_model.py work_dirs/weights/best_bone_mDice_iter_*.pth $(WEIGHTS)
	$(PY) -m studies.ready_weights.score_families $(WEIGHTS) --part test --method ready
	$(PY) -m studies.ready_weights.ceiling --part test
	$(PY) studies/report.py ready_weights
