# The ready weights' model: SEAM by key mass on the narrow FPN, and a vote of each pixel
# for the center of its bone, by which bones that touch are told apart. It sees an image
# and its mirror image, and its edges are smooth (docs/choices.md).
_base_ = 'fpn_r18-small.py'
model = dict(
    decode_head=dict(type='SEAMHead', normalization='key_mass', center_votes=True),
    test_cfg=dict(resize='logits', mirror=True),
)
