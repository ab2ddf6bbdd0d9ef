"""Benchmarks anyone can repeat: `portero bench`.

A machine is noisy, and this one is not yours. So contestants take turns within one run, medians of
rounds are compared, and a claim is a ratio wherever it can be one. What commits is told beside a lone
commit of the same minute. What cannot be measured here says so and why; it is never filled in.
"""
