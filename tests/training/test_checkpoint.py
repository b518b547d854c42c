"""A fit's state goes to disk and comes back."""

import pytest
import torch

from training.checkpoint import checkpoints, contiguous, load_checkpoint, save_checkpoint

POSITION = {"epoch": 1, "step": 7, "loss_sum": 0.1 + 0.2, "best_loss": float("inf"), "history": [{"metric": 0.5}]}


def state():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    return model, torch.optim.AdamW(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", enabled=False)


def step(model, optimizer):
    model(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def save(folder, number, model, optimizer, scaler, **best):
    save_checkpoint(
        folder, number=number, model=model, optimizer=optimizer, scaler=scaler, best=best, position=POSITION
    )


def test_everything_comes_back(tmp_path):
    model, optimizer, scaler = state()
    step(model, optimizer)
    save(tmp_path, 1, model, optimizer, scaler, kept=torch.eye(3).T[:, ::2])
    expected = torch.rand(3)
    step(model, optimizer)
    after = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    other, its_optimizer, its_scaler = state()
    position, best = load_checkpoint(tmp_path, model=other, optimizer=its_optimizer, scaler=its_scaler)
    assert position == POSITION
    assert torch.equal(best["kept"], torch.eye(3)[:, ::2])
    assert torch.equal(torch.rand(3), expected)
    step(other, its_optimizer)
    assert all(torch.equal(tensor, after[name]) for name, tensor in other.state_dict().items())


def test_an_empty_folder_has_none(tmp_path):
    model, optimizer, scaler = state()
    assert load_checkpoint(tmp_path / "none", model=model, optimizer=optimizer, scaler=scaler) is None


def test_what_was_never_published_is_never_read(tmp_path):
    model, optimizer, scaler = state()
    save(tmp_path, 3, model, optimizer, scaler)
    for torn in (".step-000000009.x7", ".old-step-000000001"):
        (tmp_path / torn).mkdir()
        (tmp_path / torn / "state.json").write_text("{")
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000000003"]
    assert load_checkpoint(tmp_path, model=model, optimizer=optimizer, scaler=scaler) is not None


def test_the_newest_two_are_kept(tmp_path):
    for number in (8, 9, 10, 11):
        save(tmp_path, number, *state())
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000000010", "step-000000011"]


def test_nothing_is_pickled(tmp_path):
    save(tmp_path, 1, *state())
    assert {path.suffix for path in (tmp_path / "step-000000001").iterdir()} == {".safetensors", ".json"}


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path):
    model, optimizer, scaler = state()
    save(tmp_path, 1, model, optimizer, scaler)
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_checkpoint(
            tmp_path, number=2, model=model, optimizer=optimizer, scaler=scaler, best={}, position={"bad": object()}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001"]


def test_only_what_shares_or_strides_its_storage_is_copied():
    whole = torch.arange(6.0).reshape(2, 3)
    found = contiguous({"own": whole, "again": whole, "turned": torch.eye(3)[:, ::2], "row": torch.ones(4, 2)[1]})
    assert found["own"].data_ptr() == whole.data_ptr()
    assert len({tensor.data_ptr() for tensor in found.values()}) == 4
    assert all(tensor.untyped_storage().nbytes() == 4 * tensor.numel() for tensor in found.values())
    assert found["again"].tolist() == whole.tolist()
    assert found["turned"].tolist() == torch.eye(3)[:, ::2].tolist()
    assert found["row"].tolist() == [1.0, 1.0]
