.PHONY: demo test simulate chaos bench manual format
demo: ; scripts/demo
test: ; scripts/test
simulate: ; scripts/simulate
chaos: ; scripts/chaos
bench: ; scripts/bench
manual: ; scripts/manual
format: ; swift format --in-place --recursive Package.swift Sources Tests Benchmarks
