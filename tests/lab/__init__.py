"""The lab: real kernels, emulated IOMMUs, hosts broken on purpose, VFIO's own answer: docs/lab.md."""
