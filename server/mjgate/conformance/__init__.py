"""Whether a server keeps the contract: the rules, the questions that test them, and the reports.

A run sends requests drawn from the contract (`generate`, by Schemathesis) and tells stories of
several requests (`stories`). Each answer becomes an `Exchange`, is judged by the `rules`, and what
is wrong becomes a `Failure` of the run's `Verdict`. Nothing here knows the gateway: any server that
claims this API can be asked.
"""
