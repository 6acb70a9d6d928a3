"""tools/train_memory.py: one real step for each batch size."""


def test_measures_rising_batches(tool, capsys):
    demo = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
    assert tool('train_memory')([demo, '--batch-sizes', '1', '2']) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split(':')[0].split()[1] for line in lines] == ['1', '2']
    sizes = [float(line.split()[-2]) for line in lines]
    assert 0 <= sizes[0] <= sizes[1]
    assert tool('train_memory')([demo, '--batch-sizes', '2', '1']) == 2
