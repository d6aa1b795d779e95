"""The conformance kit: checks that try what a plugin promises.

| file | has |
| --- | --- |
| `kit.py` | all checks of a definition, and of a plugin |
| `checks.py` | a check, its outcome, and the fault that it finds |
| `every_kind.py` | the promises of every definition |
| `exercises.py` | what a definition does, to be done again in other circumstances |
| `tasks.py`, `architectures.py`, … | the exercises and the promises of one kind |
| `judgements.py` | whether a judgement tells right from wrong |
| `plugins.py` | the promises of a plugin as a whole |
| `small_models.py`, `worlds.py` | what definitions are tried on |
| `another_process.py` | imports, and exercises, in another process |
"""
