"""Support of devices for bfloat16."""

import torch


def has_fast_bfloat16(device: torch.device) -> bool:
    """Return whether a device has bfloat16 arithmetic.

    Other processors, such as those with AVX2 only, and NVIDIA GPUs before Ampere emulate it. The results are correct,
    but it is slower than float32, many times slower on a processor.

    Args:
        device: The device of the tensors.

    Returns:
        The answer of oneDNN for a processor and of CUDA for a GPU; True for other devices.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return True
    # A private function, but torch has no public one.
    known = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(known is not None and known())
