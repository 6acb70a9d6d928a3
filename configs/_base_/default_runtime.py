default_scope = 'mmseg'
# Registers the package here, since custom_imports of a config that builds on this one
# replace ours. With an import statement mmengine would take this for its other syntax.
__import__('seam_seg')
# For the config that a run writes, which has no such line. Two of these do not merge.
custom_imports = dict(imports=['seam_seg'], allow_failed_imports=False)
# Reads no checkpoint that could run code, also under mmseg's own tools.
runner_type = 'SafeRunner'
trust_checkpoint = False
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)

custom_hooks = [dict(type='RuntimeHook'), dict(type='OverlayHook')]

visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False
