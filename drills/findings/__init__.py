"""The ledger of findings: what has to be fixed, who fixes it until when, and whether it has been seen to hold since.

``reports/findings/*.yaml``, one file a finding. The state of a finding follows from its file and the day alone
(``states.py``); runs are folded into the files (``folding.py``), and no verdict knows of any of it.
"""
