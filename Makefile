# The two commands of the README, and the weights. Each makes .venv where it is missing.
PYTHON ?= python3
PY := .venv/bin/python
DEMO := seam-keymass_r18-fpn_1xb8-600_phantom-256x128
DATA := data/demo
RUN := work_dirs/demo

READY := seam-keymass_r18-fpn_1xb8-2400_phantom-256x128
WEIGHTS := seam_seg/weights/seam-keymass_r18-fpn.pth

.PHONY: demo test fuzz weights

.venv/installed: requirements.txt setup.py
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

test: .venv/installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) studies/report.py --check
	$(PY) -m pytest

# What the suite draws a few times, drawn anew and often: minutes.
fuzz: .venv/installed
	$(PY) -m pytest -n 0 tests/test_fuzz.py --hypothesis-profile=long

# The ready weights again: a quarter of an hour of training, then what their card shows.
weights: .venv/installed
	$(PY) tools/make_phantom.py data/weights --preset standard hard --num-train 240 \
		--num-test 12 --seed 10 --overwrite
	$(PY) tools/train.py $(READY) --data-root data/weights --work-dir work_dirs/weights \
		--resume
	$(PY) tools/publish_model.py $(READY) work_dirs/weights/best_bone_mDice_iter_*.pth $(WEIGHTS)
	$(PY) tools/test.py $(READY) $(WEIGHTS) --data-root data/weights \
		--work-dir work_dirs/weights
	$(PY) -m studies.records work_dirs/weights/test/dice_jaccard.csv --study ready_weights \
		--setting 'standard and hard test' --method ready --out studies/ready_weights/results.csv
	for part in val test; do $(PY) -m studies.ready_weights.score_families $(READY) \
		$(WEIGHTS) --part $$part --method ready || exit 1; done
	$(PY) studies/report.py ready_weights
