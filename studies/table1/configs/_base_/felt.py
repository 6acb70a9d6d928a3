# A center regression that is felt: differences in pixels of the key, whose mass counts up
# to two pixels from a bone. The weight: docs/choices.md.
felt = dict(
    type='CenterRegressionLoss',
    in_pixels=True,
    smooth_l1_beta=0.5,
    reach=2.0,
    loss_weight=0.07,
)
