"""Whether half precision is worth it on what a run computes on."""

import torch


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 by itself.

    A processor that does not, such as one with AVX2 alone, or a GPU before NVIDIA's Ampere, imitates it: correct,
    but slower than float32, on a processor many times.

    Args:
        device: Where tensors lie.

    Returns:
        What oneDNN knows of the processor, or CUDA of the GPU; True for everything else.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return True
    # Private, and the only place in torch that knows without parsing the processor's name.
    known = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(known is not None and known())
