"""Accelerators that this machine need not have: descriptions of them, for which programs can be compiled.

The compiler says exactly what a program needs there: memory, operations, bytes, kernels. It runs nothing.
"""

import os
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies

from jaxsocial.training.devices import SHARE


class Gpu(NamedTuple):
    """What XLA wants to know of an NVIDIA card, from the data sheets of its maker."""

    name: str
    capability: tuple[int, int]
    """CUDA compute capability."""
    cores: int
    """Streaming multiprocessors."""
    units: int
    """32-bit floating-point units of each."""
    clock_ghz: float
    memory: int
    """Bytes."""
    bandwidth: int
    """Bytes per second."""
    cache: int
    """Bytes of the second-level cache."""
    shared: int
    """Bytes of shared memory of each multiprocessor."""


class Tpu(NamedTuple):
    """One chip of a TPU."""

    topology: str
    """The smallest arrangement of chips that the compiler knows."""
    memory: int
    """Bytes of a chip."""


GPUS = {
    "h100": Gpu("NVIDIA H100 80GB HBM3", (9, 0), 132, 128, 1.98, 84_929_347_584, 3_352 * 10**9, 52_428_800, 233_472),
    "h200": Gpu("NVIDIA H200", (9, 0), 132, 128, 1.98, 151_397_597_184, 4_800 * 10**9, 52_428_800, 233_472),
    "a100": Gpu("NVIDIA A100-SXM4-80GB", (8, 0), 108, 64, 1.41, 85_100_068_864, 2_039 * 10**9, 41_943_040, 167_936),
}
TPUS = {"v5e": Tpu("v5e:2x2", 16 * 2**30), "v6e": Tpu("v6e:2x2", 32 * 2**30)}
TARGETS = (*GPUS, *TPUS)
RESERVED = 1024
"""Bytes of shared memory that CUDA keeps of each multiprocessor."""


def memory_of(target: str) -> int:
    """Returns the bytes of a target that a program may use."""
    return int(SHARE * (GPUS | TPUS)[target].memory)


def described_device(target: str) -> Any:
    """Returns a device that is not here, for `make_program`. Call it before jax computes anything.

    Args:
      target: one of `TARGETS`.

    Raises:
      ValueError: the target is unknown, or its compiler is not installed.
    """
    if target not in TARGETS:
        raise ValueError(f"target {target!r} is unknown: choose from {', '.join(TARGETS)}")
    # What runs here runs on the CPU, and neither compiler looks for a device.
    jax.config.update("jax_platforms", "cpu")
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    # Otherwise a second process is refused, as on a machine with a TPU, which one process holds.
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")
    flags = os.environ.get("XLA_FLAGS", "")
    if target in GPUS and "xla_gpu_autotune_level" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_autotune_level=0"  # it would time kernels on the device
    extra = "aot-tpu" if target in TPUS else "aot-cuda"
    try:
        if target in TPUS:
            return topologies.get_topology_desc(TPUS[target].topology, platform="tpu").devices[0]
        jax.devices()  # registers the compilers of all platforms that are installed
        description = _as_xla_reads_it(GPUS[target])
        one = {"topology": "1x1x1", "target_config": description}
        return topologies.get_topology_desc(platform="cuda", **one).devices[0]
    except Exception as error:  # jaxlib has no public class for this one
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"target {target}: no compiler for it here ({reason}): pip install "
            f"'jaxsocial[{extra}]', in an environment of its own"
        ) from None


def _as_xla_reads_it(gpu: Gpu) -> str:
    """Returns a description in the text format of protocol buffers (xla's GpuTargetConfigProto)."""
    major, minor = gpu.capability
    return f"""
        gpu_device_info {{
          threads_per_block_limit: 1024
          threads_per_warp: 32
          shared_memory_per_block: 49152
          shared_memory_per_core: {gpu.shared}
          threads_per_core_limit: 2048
          core_count: {gpu.cores}
          fpus_per_core: {gpu.units}
          block_dim_limit_x: 2147483647
          block_dim_limit_y: 65535
          block_dim_limit_z: 65535
          memory_bandwidth: {gpu.bandwidth}
          l2_cache_size: {gpu.cache}
          clock_rate_ghz: {gpu.clock_ghz}
          device_memory_size: {gpu.memory}
          shared_memory_per_block_optin: {gpu.shared - RESERVED}
          cuda_compute_capability {{ major: {major} minor: {minor} }}
          registers_per_core_limit: 65536
          registers_per_block_limit: 65536
        }}
        platform_name: "CUDA"
        dnn_version_info {{ major: 9 minor: 7 }}
        runtime_version {{ major: 12 minor: 8 }}
        device_description_str: "{gpu.name}"
    """
