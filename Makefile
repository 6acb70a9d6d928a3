# The two commands of the README, and the studies. All make .venv where it is missing.
PYTHON ?= python3
PY := .venv/bin/python
DEMO := seam-keymass_r18-fpn_1xb8-600_phantom-256x128
DATA := data/demo
RUN := work_dirs/demo

.PHONY: demo test fuzz weights table1 table1-long choices fine-tuning speed

.venv/installed: requirements.txt setup.py
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet -r requirements.txt
	$(PY) -m pip install --quiet --no-build-isolation --no-deps -e .
	$(PY) -c 'import seam_seg'
	touch $@
