# The loss of the votes weighs 3 instead of 10.
_base_ = 'recipe.py'
method_name = 'votes weigh 3'
model = dict(decode_head=dict(loss_votes=dict(loss_weight=3.0)))
