# The two commands of the README. Both make .venv where it is missing.
PYTHON ?= python3
PY := .venv/bin/python
DEMO := seam-keymass_r18-fpn_1xb8-600_phantom-256x128
DATA := data/demo
RUN := work_dirs/demo

READY := seam-keymass_r18-fpn_1xb8-2400_phantom-256x128
WEIGHTS := seam_seg/weights/seam-keymass_r18-fpn.pth

.PHONY: demo test fuzz weights table1 table1-long speed

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
	$(PY) tools/trivial_baselines.py $(DATA) --out $(RUN)/trivial_baselines.json
	$(PY) tools/train.py $(DEMO) --data-root $(DATA) --work-dir $(RUN) --resume
	$(PY) tools/test.py $(DEMO) $(RUN)/best_mDice_iter_*.pth --data-root $(DATA) \
		--work-dir $(RUN) --out $(RUN)/test/labels --show-dir $(RUN)/test/overlays
	@echo 'table: $(RUN)/test/dice_jaccard.json; pictures: $(RUN)/test/overlays'

test: .venv/installed
	$(PY) -m ruff check .
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
	$(PY) tools/publish_model.py $(READY) work_dirs/weights/best_mDice_iter_*.pth $(WEIGHTS)
	$(PY) tools/test.py $(READY) $(WEIGHTS) --data-root data/weights \
		--work-dir work_dirs/weights
	cp work_dirs/weights/test/dice_jaccard.json docs/weights/
	for part in val test; do $(PY) tools/evaluate_held_out.py $(READY) $(WEIGHTS) \
		--part $$part --out docs/weights/held_out_$$part.json || exit 1; done

# Table 1 on the hard phantom: 13 methods, three seeds, hours. It goes on where it was
# stopped. Then its figures.
PHANTOM := _1xb8-600_phantom-256x128
METHODS := $(addsuffix $(PHANTOM),fpn_r18 fpn-conv_r18 unet_s5-d16-small ppmu-small \
	rsnu_r18-fpn wavect_r18-fpn danet_r18-fpn emanet_r18-fpn nonlocal_r18-fpn \
	seam-wo-al_r18-fpn seam-wo-ss_r18-fpn seam_r18-fpn)
KEYMASS := seam-keymass_r18-fpn$(PHANTOM)
TABLE1 := --data-root data/phantom-hard --work-dir work_dirs/table1
CASE := phantom_test_0000

table1: .venv/installed
	$(PY) tools/make_phantom.py data/phantom-hard --preset hard --overwrite
	$(PY) tools/benchmark.py $(METHODS) $(KEYMASS) $(TABLE1) \
		--reference seam_r18-fpn$(PHANTOM) --out docs/table1
	$(PY) tools/draw_methods.py $(KEYMASS) $(METHODS) $(TABLE1) --results docs/table1 \
		--out docs/table1/methods.jpg
	$(PY) tools/draw_keys.py data/phantom-hard/dataset/test/$(CASE).png \
		data/phantom-hard/groundtruth/test/$(CASE)_bone_3.png docs/table1/keys.png \
		--config $(KEYMASS) --checkpoint work_dirs/table1/$(KEYMASS)_seed0/iter_600.pth

# Three methods once more, one seed, for twice as long: what the short trainings hide.
table1-long: .venv/installed
	$(PY) tools/make_phantom.py data/phantom-hard --preset hard --overwrite
	$(PY) tools/benchmark.py $(addsuffix $(PHANTOM),ppmu-small fpn_r18 seam_r18-fpn) \
		--data-root data/phantom-hard \
		--work-dir work_dirs/table1-long --seeds 0 --out docs/table1/long \
		--reference seam_r18-fpn$(PHANTOM) \
		--cfg-options train_cfg.max_iters=1200 param_scheduler.0.T_max=1200

# What SEAM costs, in ratios: half an hour on a machine that does nothing else.
speed: .venv/installed
	$(PY) tools/benchmark_speed.py
