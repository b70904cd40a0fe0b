"""This machine as another one: environments in which libraries take other code paths, as other processors would."""

from __future__ import annotations

from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

__all__ = ["OLD", "PLAIN_VECTORS"]

PLAIN_VECTORS = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(
        name for name in __cpu_dispatch__ if __cpu_features__.get(name)
    )
}
"""NumPy without the vector code that this processor could run: other sorts, other sums of a BLAS-less loop."""

OLD = {
    **PLAIN_VECTORS,
    "OPENBLAS_CORETYPE": "Prescott",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX,-ERMS,-BMI2",
}
"""A processor of 2005: OpenBLAS, NumPy and the C library with SSE alone, without fused multiplications."""
