"""Zero-cost proxies: what they say of networks whose score is known, and that they stay apart."""

import math
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from conftest import QUICK, SMALL_DETECTOR
from torch import Tensor, nn

from evonas.driver import search
from evonas.driver.preparation import check, set_up
from evonas.evaluation.kit import PLAIN, _proxy_batch
from evonas.evaluation.measures import MEASURES, PROXY_NAMES, measure_scale
from evonas.evaluation.proxies import PROXIES, PROXY_IMAGES, LossOf
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.models import build
from evonas.models.activations import ACTIVATIONS
from evonas.models.norms import NORMS
from evonas.runs import Run
from evonas.settings import Words
from evonas.space import Scale, load_space
from evonas.tasks import TASKS

DETECTORS = str(SMALL_DETECTOR)
FLOORS = {"grad_norm": 0.0, "snip": 0.0, "synflow": math.log(np.finfo(float).tiny)}


def batch(images: int = 16) -> tuple[Tensor, LossOf]:
    generator = torch.Generator().manual_seed(5)
    targets = torch.arange(images) % 10
    drawn = torch.randn((images, 1, 16, 16), generator=generator)
    return drawn, lambda outputs: nn.functional.cross_entropy(outputs[0], targets)


def boxes(images: int = 16) -> tuple[Tensor, LossOf]:
    """A batch for detectors: in each image one box of the upper half."""
    generator = torch.Generator().manual_seed(5)
    targets = torch.tensor([[[1.0, 4, 2, 20, 12]]]).expand(images, -1, -1)
    loss = TASKS["detection"].loss
    drawn = torch.randn((images, 3, 32, 32), generator=generator)
    return drawn, lambda outputs: loss(outputs, targets, PLAIN)


def proxy_scale(space: str) -> Scale:
    channels = 3 if space == DETECTORS else 1
    return replace(load_space(space).scales["proxy"], input_channels=channels)


def sampled(space: str, number: int = 0) -> nn.Module:
    known = load_space(space)
    blueprint = known.decode(known.sample(np.random.default_rng(number)))
    return build(blueprint, proxy_scale(space), seed=number)


def plain(*layers: nn.Module) -> nn.Sequential:
    network = nn.Sequential(*layers)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, generator=generator)
    return network


class Pooled(nn.Module):
    """Maps to logits by their mean."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


def test_every_score_is_an_objective() -> None:
    assert tuple(PROXIES) == PROXY_NAMES


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("space", ["nano", "mobile_cells", "nas_bench_201", DETECTORS])
def test_a_score_is_finite_repeatable_and_leaves_everything_as_it_was(
    name: str, space: str
) -> None:
    network, (images, loss_of) = sampled(space, 3), boxes() if space == DETECTORS else batch()
    weight = next(network.parameters())
    weight.grad = torch.ones_like(weight)
    network.eval()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    kept, drawn = images.clone(), torch.random.get_rng_state()
    score = PROXIES[name](network, images, loss_of)
    assert math.isfinite(score)
    assert PROXIES[name](network, images, loss_of) == score
    assert not any(module.training for module in network.modules())
    assert torch.equal(weight.grad, torch.ones_like(weight))
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert torch.equal(images, kept)
    assert torch.equal(torch.random.get_rng_state(), drawn)


@pytest.mark.parametrize("name", PROXIES)
def test_a_score_depends_on_the_weights(name: str) -> None:
    space = load_space("nano")
    blueprint = space.decode([gene.default_number for gene in space.genes])
    first, second = (build(blueprint, proxy_scale("nano"), seed) for seed in (0, 1))
    assert PROXIES[name](first, *batch()) != PROXIES[name](second, *batch())


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("breakage", ["dead", "overflowing"])
def test_a_network_that_cannot_train_has_a_finite_score_below_that_of_one_that_can(
    name: str, breakage: str
) -> None:
    def network() -> nn.Sequential:
        return plain(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 10, 3), nn.ReLU(), Pooled())

    broken = network()
    with torch.no_grad():
        for parameter in broken.parameters():
            parameter.fill_(0.0 if breakage == "dead" else 1e30)
    score = PROXIES[name](broken, *batch())
    assert math.isfinite(score)
    if breakage == "dead":
        assert score < PROXIES[name](network(), *batch())
        assert score == pytest.approx(FLOORS.get(name, score))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_scores(activation: str) -> None:
    network = plain(nn.Conv2d(1, 6, 3), ACTIVATIONS[activation](6), nn.Conv2d(6, 10, 3), Pooled())
    for name, proxy in PROXIES.items():
        assert math.isfinite(proxy(network, *batch())), name


def test_synflow_is_the_sum_over_paths() -> None:
    convolution, linear = nn.Conv2d(1, 2, 1, bias=False), nn.Linear(2, 1, bias=False)
    network = nn.Sequential(convolution, nn.ReLU6(), Pooled(), linear)
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([-3.0, 100.0]).view(2, 1, 1, 1))
        linear.weight.copy_(torch.tensor([[2.0, -5.0]]))
    # R = 3 * 2 + 100 * 5, and each of the two layers of weights gives R.
    assert PROXIES["synflow"](network, *batch()) == pytest.approx(math.log(2 * 506))


@pytest.mark.parametrize("norm", NORMS)
def test_synflow_leaves_norms_out(norm: str) -> None:
    network = plain(nn.Conv2d(1, 4, 3), nn.Identity(), nn.ReLU(), nn.Conv2d(4, 10, 3), Pooled())
    expected = PROXIES["synflow"](network, *batch())
    network[1] = NORMS[norm](4)
    assert PROXIES["synflow"](network, *batch()) == expected


def test_naswot_is_the_determinant_of_the_agreements() -> None:
    network = nn.Sequential(nn.Flatten(), nn.ReLU())
    codes = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [0, 1, 0, 1, 1.0]])
    agreements = np.array([[(a == b).sum() for b in codes.numpy()] for a in codes.numpy()])
    images = (codes - 0.5).view(3, 1, 1, 5)
    expected = np.log(np.linalg.det(agreements))
    score = PROXIES["naswot"](network, images, batch()[1])
    assert score == pytest.approx(expected, abs=1e-4)


def test_jacob_cov_is_that_of_the_correlations() -> None:
    network = plain(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 10, 3), Pooled())
    images, loss_of = batch(8)
    images.requires_grad_(True)
    jacobian = torch.autograd.grad(network(images).sum(), images)[0].flatten(1).double()
    values = np.linalg.eigvalsh(np.corrcoef(jacobian.numpy())) + 1e-5
    expected = -np.sum(np.log(values) + 1 / values)
    score = PROXIES["jacob_cov"](network, images.detach(), loss_of)
    assert score == pytest.approx(expected, rel=1e-3)


def test_gradients_are_those_of_the_loss() -> None:
    (images, loss_of), linear = batch(), nn.Linear(256, 10)
    network = plain(nn.Flatten(), linear)
    gradient = torch.autograd.grad(loss_of((network(images),)), linear.weight)[0].numpy()
    found = PROXIES["grad_norm"](network, images, loss_of)
    assert found == pytest.approx(np.sqrt((gradient**2).sum()), rel=1e-5)
    expected = np.abs(linear.weight.detach().numpy() * gradient).sum()
    assert PROXIES["snip"](network, images, loss_of) == pytest.approx(expected, rel=1e-5)


def test_zen_knows_no_scale_of_the_weights() -> None:
    network = normed(2)
    before = PROXIES["zen"](network, *batch())
    with torch.no_grad():
        for parameter in network[3].parameters():
            parameter.mul_(7)
    assert PROXIES["zen"](network, *batch()) == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("name", ["synflow", "zen"])
def test_a_deeper_network_can_express_more(name: str) -> None:
    scores = [PROXIES[name](normed(depth), *batch()) for depth in (1, 2, 4)]
    assert scores == sorted(scores)


def normed(depth: int) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for _ in range(depth):
        blocks += [nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    return plain(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), *blocks, Pooled())


def test_a_measure_is_of_the_proxy_and_goes_to_other_processes() -> None:
    for name in PROXIES:
        measure = ForkingPickler.loads(ForkingPickler.dumps(MEASURES[name]))
        assert (measure.direction, measure.cost) == ("maximise", "build")
        assert measure_scale(name, "full") == "proxy"


WORDS = [*QUICK, "executor=inline", "objectives=synflow,parameters", "run.name=scored"]


def evaluator_of(run: Run) -> TrainEvaluator:
    made = set_up(check(Words(WORDS)), run.folder, run.facts).evaluator
    assert isinstance(made, TrainEvaluator)
    return made


def test_a_search_takes_scores_as_objectives_and_constraints() -> None:
    run = search([*WORDS, "budget.evaluations=4", "constraints.naswot.min=56"])
    outcomes = [(trial, outcome) for trial, outcome in run.trials() if outcome is not None]
    evaluator = evaluator_of(run)
    assert {outcome.status for _, outcome in outcomes} <= {"complete", "infeasible"}
    for trial, outcome in outcomes:
        if outcome.source is None and "synflow" in outcome.measures:
            assert outcome.measures["synflow"] == evaluator.bench(trial.blueprint, trial.seed).take(
                "synflow"
            )
            assert (outcome.measures["naswot"] >= 56) == (outcome.status == "complete")
    assert evaluator.scale_of("synflow") == "proxy"
    assert evaluator.scale_of("parameters") == "full"


def test_what_is_too_low_is_never_trained() -> None:
    run = search([*WORDS, "budget.seconds=0.5", "constraints.naswot.min=1e9"])
    outcomes = [outcome for _, outcome in run.trials() if outcome is not None]
    assert outcomes
    for outcome in outcomes:
        assert outcome.status == "infeasible"
        assert "accuracy" not in outcome.measures


def test_scores_are_of_images_of_all_classes() -> None:
    words = check(Words(WORDS)).settings.data
    images, loss_of = _proxy_batch(words, 16)
    assert images.shape == (PROXY_IMAGES, 1, 16, 16)
    assert len(set(loss_of.keywords["targets"].tolist())) == 10
    assert torch.equal(_proxy_batch.__wrapped__(words, 16)[0], images)
