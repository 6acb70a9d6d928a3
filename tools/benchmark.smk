# Trainings as files, for Snakemake: what tools/benchmark.py asks for, one folder a run.
# A job is made anew when its command or its key has changed: its config, the stack, or
# the content of an input (code behind the config, data, weights to start from).
import os
import tempfile

RUNS, GPUS = config['runs'], config['gpus']
# Snakemake counts GPUs, but does not say which is free: the first that nobody holds.
LOCK = f'{tempfile.gettempdir()}/seam_seg_{os.getuid()}_gpu$gpu.lock'
PICK_GPU = (
    f'for gpu in {" ".join(GPUS)}; do exec 9> "{LOCK}"; flock -n 9 && break; done; '
    'export CUDA_VISIBLE_DEVICES=$gpu; '
) if GPUS else ''


def tests(wildcards):
    return RUNS[wildcards.run]['tests'][wildcards.test]


rule all:
    input: [f'{run}/{test}/test/dice_jaccard.csv' for run in RUNS for test in RUNS[run]['tests']]


# Apart from the training, which resumes what it finds: what was begun from something else
# is removed. First of all, so that nothing stale is left where trainings are interrupted.
rule begin:
    input: lambda wildcards: RUNS[wildcards.run]['inputs']
    output: '{run}/begun'
    params: key=lambda wildcards: RUNS[wildcards.run]['key']
    priority: 1
    localrule: True
    shell: 'find {wildcards.run:q} -mindepth 1 -delete; (' + config['commit'] + ') > {output:q}'


rule train:
    input: '{run}/begun'
    output: touch('{run}/trained')
    params: command=lambda wildcards: RUNS[wildcards.run]['command']
    resources: gpu=1
    shell: PICK_GPU + '({params.command}) >> {wildcards.run:q}/log.txt 2>&1'


rule test:
    input: '{run}/trained', lambda wildcards: tests(wildcards)['inputs']
    output: '{run}/{test}/test/dice_jaccard.csv'
    params:
        command=lambda wildcards: tests(wildcards)['command'],
        key=lambda wildcards: tests(wildcards)['key'],
    resources: gpu=1
    shell: PICK_GPU + '({params.command}) >> {wildcards.run:q}/log.txt 2>&1'
