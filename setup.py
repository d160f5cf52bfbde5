"""The one part that pyproject.toml cannot say in a settled way: the delta codec's C kernel, which is optional.

Without a C compiler the installation goes on, and NumPy does the work; `cogsym doctor` says which one is in use.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "toolkit.delta._kernel",
            sources=["toolkit/delta/_kernel.c"],
            depends=["toolkit/delta/_kernel_loops.h", "toolkit/delta/_kernel_avx512.h"],
            extra_compile_args=["-O3", "-ffp-contract=off"],  # no fused multiply-add: NumPy rounds each step
            optional=True,
        )
    ]
)
