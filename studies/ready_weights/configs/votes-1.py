# The loss of the votes weighs 1 instead of 10.
_base_ = 'recipe.py'
method_name = 'votes weigh 1'
model = dict(decode_head=dict(loss_votes=dict(loss_weight=1.0)))
