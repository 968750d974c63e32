import torch

from oodkit.training.class_queue import ClassQueue, same_class_around


def rows(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)[:, None]


def test_each_class_keeps_its_latest_features():
    queue = ClassQueue(num_classes=3, num_features=1, length=2)
    queue.push(rows(1, 2, 3), torch.tensor([0, 2, 0]))
    assert queue.rows[:, :, 0].tolist() == [[1, 3], [0, 0], [2, 0]]
    queue.push(rows(4, 5), torch.tensor([0, 2]))
    assert queue.rows[:, :, 0].tolist() == [[4, 3], [0, 0], [2, 5]]


def test_of_more_features_than_fit_the_last_are_kept():
    queue = ClassQueue(num_classes=2, num_features=1, length=2)
    queue.push(rows(1, 2, 9, 3, 4, 5), torch.tensor([0, 0, 1, 0, 0, 0]))
    assert sorted(queue.rows[0, :, 0].tolist()) == [4, 5]
    queue.push(rows(6), torch.tensor([0]))
    assert sorted(queue.rows[0, :, 0].tolist()) == [5, 6]


def test_it_is_full_when_every_class_is():
    queue = ClassQueue(num_classes=2, num_features=1, length=2)
    queue.push(rows(1, 2, 3), torch.tensor([0, 0, 0]))
    queue.push(rows(4), torch.tensor([1]))
    assert not queue.is_full
    queue.push(rows(5), torch.tensor([1]))
    assert queue.is_full


def test_features_come_in_without_gradient_and_as_float32():
    queue = ClassQueue(num_classes=2, num_features=1, length=2)
    queue.push(torch.ones(1, 1, dtype=torch.bfloat16, requires_grad=True), torch.tensor([1]))
    assert queue.rows.dtype == torch.float32
    assert not queue.rows.requires_grad
    assert queue.rows[1, 0] == 1


def test_its_state_goes_on_where_it_was():
    queue, resumed = ClassQueue(2, 1, 3), ClassQueue(2, 1, 3)
    queue.push(rows(1, 2, 3, 4), torch.tensor([0, 0, 1, 0]))
    resumed.load_state_dict(queue.state_dict())
    for one in (queue, resumed):
        one.push(rows(5, 6), torch.tensor([0, 1]))
    assert torch.equal(queue.rows, resumed.rows)
    assert torch.equal(queue.pushed, resumed.pushed)


def test_queues_are_shorter_where_they_would_not_fit_in_512_mib():
    """2^27 / (1000 · 2048) = 65.5; 2^27 / (262 · 512) = 1000.5."""
    with torch.device("meta"):
        assert ClassQueue(1000, 2048, 1000).length == 65
        assert ClassQueue(262, 512, 1000).length == 1000
        assert ClassQueue(263, 512, 1000).length == 996
        assert ClassQueue(10**6, 4096, 1000).length == 2


def test_how_many_of_the_same_class_stand_around():
    earlier, later = same_class_around(torch.tensor([2, 0, 2, 2, 1]))
    assert earlier.tolist() == [0, 0, 1, 2, 0]
    assert later.tolist() == [2, 0, 1, 0, 0]
