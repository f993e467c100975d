"""tlcourse: transfer learning, one technique in one file.

The names below are loaded when they are first used, so that `import tlcourse` costs next to nothing.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "feature_regression": "actor_mimic",
    "policy_regression": "actor_mimic",
    "train_actor_mimic": "actor_mimic",
    "transfer_network": "actor_mimic",
    "Backbone": "backbones",
    "load_backbone": "backbones",
    "load_classifier": "backbones",
    "BetaVAE": "beta_vae",
    "beta_vae_loss": "beta_vae",
    "kl_to_standard_normal": "beta_vae",
    "reconstruction_error": "beta_vae",
    "train_beta_vae": "beta_vae",
    "Latents": "darla",
    "Vision": "darla",
    "load_vision": "darla",
    "beta_vae_metric": "disentanglement",
    "modularity": "disentanglement",
    "mutual_information": "disentanglement",
    "mutual_information_gap": "disentanglement",
    "DomainAdaptationModel": "domain_adaptation",
    "GradientReversal": "domain_adaptation",
    "adaptation_strength": "domain_adaptation",
    "adaptive_batch_norm": "domain_adaptation",
    "coral_loss": "domain_adaptation",
    "domain_adversarial_loss": "domain_adaptation",
    "mmd_loss": "domain_adaptation",
    "proxy_a_distance": "domain_adaptation",
    "train_adaptation": "domain_adaptation",
    "FeatureExtractor": "feature_extraction",
    "group_features": "feature_extraction",
    "knn_predict": "feature_extraction",
    "linear_probe": "feature_extraction",
    "EpisodeSampler": "few_shot",
    "PrototypicalNetwork": "few_shot",
    "class_prototypes": "few_shot",
    "evaluate_episodes": "few_shot",
    "prototype_classifier": "few_shot",
    "LayerGroups": "fine_tuning",
    "TransferLearningModel": "fine_tuning",
    "dihedral": "fine_tuning",
    "discriminative_rates": "fine_tuning",
    "freeze": "fine_tuning",
    "random_view": "fine_tuning",
    "unfreeze": "fine_tuning",
    "transplant": "layer_surgery",
    "MAML": "maml",
    "adapt": "maml",
    "meta_gradient": "maml",
    "GradNorm": "multitask",
    "HardSharing": "multitask",
    "UncertaintyWeighting": "multitask",
    "combined_backward": "multitask",
    "conflict_share": "multitask",
    "gradient_cosines": "multitask",
    "pcgrad": "multitask",
    "task_gradients": "multitask",
    "train_multitask": "multitask",
    "deepen": "net2net",
    "function_distance": "net2net",
    "widen": "net2net",
    "conv4": "networks",
    "digit_encoder": "networks",
    "digit_network": "networks",
    "Demonstrations": "policy_distillation",
    "demonstrate": "policy_distillation",
    "distill": "policy_distillation",
    "imitate": "policy_distillation",
    "kl_loss": "policy_distillation",
    "mse_loss": "policy_distillation",
    "nll_loss": "policy_distillation",
    "ProgressiveFineTuner": "progressive_fine_tuning",
    "l2_sp": "progressive_fine_tuning",
    "slanted_triangular": "progressive_fine_tuning",
    "start_from_probe": "progressive_fine_tuning",
    "DomainRandomization": "sim_to_real",
    "Randomized": "sim_to_real",
    "SimToRealTransfer": "sim_to_real",
    "evaluate_policy": "rl.support",
    "vary_images": "sim_to_real",
    "cka_matrix": "similarity",
    "linear_cka": "similarity",
    "identify": "system_identification",
    "record_trajectories": "system_identification",
    "History": "training",
    "evaluate": "training",
    "fit": "training",
    "predict": "training",
    "h_score": "transferability",
    "leep": "transferability",
    "log_me": "transferability",
    "cache_dir": "runtime",
    "pick_device": "runtime",
    "seed_everything": "runtime",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
