# Positive control: the reference, told where in the image each pixel lies.
_base_ = 'fpn-conv.py'
method_name = 'FPN + 3x3 conv, coordinates'
model = dict(backbone=dict(type='CoordinateResNet'))
custom_imports = dict(imports=[*_base_.custom_imports.imports, 'table1_coordinates'])
