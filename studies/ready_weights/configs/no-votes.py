# Without the branch that votes for centers, and its loss: what the bones one by one cost.
_base_ = 'recipe.py'
method_name = 'no votes'
model = dict(decode_head=dict(center_votes=False))
