"""How the latency of the proxy network ranks designs, against that of the full network.

Measures random designs at both scales under the search's protocol, the full one twice in
different order, so that the correlation of the clock with itself stands beside it.
"""

from dataclasses import replace

import numpy as np
from record import parser, report
from scipy.stats import spearmanr

from evonas.blueprint import Blueprint, plan_network
from evonas.exporters.onnx import onnx_model
from evonas.hardware.latency import Clock, reference_ms
from evonas.models import build, count
from evonas.settings import LatencySettings
from evonas.space import Scale, load_space


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--designs", type=int, default=24)
    words.add_argument("--space", default="mobile_cells")
    given = words.parse_args()
    space = load_space(given.space)
    scales = {name: replace(scale, input_channels=1) for name, scale in space.scales.items()}
    rng = np.random.default_rng(0)
    designs = [space.decode(space.sample(rng)) for _ in range(given.designs)]
    settings = LatencySettings()
    clock = Clock(settings, reference_ms(settings))

    def latency(design: Blueprint, scale: Scale) -> tuple[float, float]:
        network = build(design, scale, seed=0)
        measured = clock.measure(onnx_model(network, scale.input_shape))
        return measured.ms, measured.spread

    full = [latency(design, scales["full"]) for design in designs]
    proxy = [latency(design, scales["proxy"])[0] for design in designs]
    again = [latency(design, scales["full"])[0] for design in reversed(designs)][::-1]
    macs = [count(plan_network(design, scales["full"])).macs for design in designs]
    first = np.array([ms for ms, _ in full])
    report(
        given,
        {
            "spearman_full_with_proxy": float(spearmanr(first, proxy).statistic),
            "spearman_full_with_macs": float(spearmanr(first, macs).statistic),
            "spearman_full_with_itself": float(spearmanr(first, again).statistic),
            "median_relative_difference": float(np.median(np.abs(first - again) / first)),
            "median_spread": float(np.median([spread for _, spread in full])),
            "full_ms": first.round(3).tolist(),
            "full_ms_again": np.round(again, 3).tolist(),
            "proxy_ms": np.round(proxy, 4).tolist(),
        },
    )


if __name__ == "__main__":
    main()
