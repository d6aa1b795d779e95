"""How often is a sequential suite wrong, and what does it cost until its claims are decided?

    python -m studies.sequential --folder build/sequential --write docs/sequential.md

The study simulates whole suites (`grokbench.testing.simulator`) and judges them with
`grokbench.claims.score`, as `grokbench run` does. It asks two questions.

*Errors*: how many suites have at least one wrong decision? In the suites of `errors`, the claims share
runs as those of suites/quick.toml do. Either nothing of the paper is there, and the rules are those of
the suites; or each true effect lies exactly at its rule's bound, where a wrong decision is the likeliest.

*Cost*: how many seeds, and how many CPU seconds of training, does a claim take until it is decided?
In the worlds of `decisions`, the phenomenon has a stated size. The claim is judged as one of nine that
are open: sequentially, and with a fixed number of seeds.

`plans` says at which seeds a claim is judged, `runner` simulates, judges and keeps what came out, and
`tables` writes the result. What is in the folder is not simulated again.
"""
