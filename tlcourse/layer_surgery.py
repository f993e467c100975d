"""Layer surgery: the first k layer groups of a trained network, with untrained ones behind them.

How well does what the first k groups have learned serve another task? Transplant them, frozen or not, and train the
whole on that task. Yosinski et al. 2014, arXiv 1411.1792.
"""

import copy
from collections import OrderedDict

from torch import nn

from .fine_tuning import LayerGroups, freeze, unfreeze


def transplant(source: nn.Sequential, target: nn.Sequential, k: int, *, frozen: bool) -> LayerGroups:
    """A new network: the first k layer groups of `source`, and behind them those of `target`.

        f(x) = t_L(… t_{k+1}(s_k(… s_1(x)))),   s_l and t_l the groups of source and target

    In the paper's names, A being the source task, B the target task and n our k: with `frozen` it is AnB, without it
    AnB+; BnB and BnB+ where the source was itself trained on the target task. With k = 0 nothing is transplanted.

    Args:
        source: a trained network, a row of named layer groups. It is copied, and stays as it is.
        target: an untrained network whose first k groups have the same names, in the same order, and the same shapes.
            It is copied, too. The new network is on its device, wherever the source is.
        k: how many groups come from the source, 0 to all.
        frozen: the transplanted groups stay as they are, batch normalisation included; else all is trained.

    Raises:
        ValueError: k is out of range, or the first k groups do not fit; the message says which.
    """
    trained, names = dict(source.named_children()), [name for name, _ in target.named_children()]
    if not 0 <= k <= len(names):
        told = f"{len(names)} groups ({', '.join(names)})"
        raise ValueError(f"k is {k}; the target has {told}, so give 0 to {len(names)}")
    if (first := list(trained)[:k]) != names[:k]:
        raise ValueError(
            f"for k = {k} the source begins with {', '.join(first) or 'nothing'} and the target with "
            f"{', '.join(names[:k])}; give both the same groups in the same order, or take fewer"
        )
    groups = OrderedDict()
    for index, (name, group) in enumerate(target.named_children()):
        if index < k:
            _check_fit(name, trained[name], group)
            device = next((tensor.device for tensor in group.state_dict().values()), None)
            groups[name] = copy.deepcopy(trained[name]).to(device)
        else:
            groups[name] = copy.deepcopy(group)
        (freeze if frozen and index < k else unfreeze)(groups[name])
    return LayerGroups(groups)


def _check_fit(name: str, given: nn.Module, wanted: nn.Module) -> None:
    """The tensors of the given group have the names and shapes of those that they replace."""
    here, there = (
        {part: tuple(tensor.shape) for part, tensor in group.state_dict().items()} for group in (given, wanted)
    )
    for part in here | there:
        if here.get(part) != there.get(part):
            raise ValueError(
                f"group {name!r} does not fit: its {part} has shape {here.get(part)} in the source and "
                f"{there.get(part)} in the target; make both networks alike, or take fewer groups"
            )
