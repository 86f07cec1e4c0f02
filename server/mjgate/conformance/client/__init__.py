"""Whether a generated client keeps the contract: what it sends, and what it makes of any answer.

A mock on a real socket (`mock`) answers each call with what the contract allows (`draw`), with
that in a form a little changed (`near`) or with what no contract allows (`hostile`). The installed
package is called by convention (`package`), judged by the rules (`judge`), and asked besides for
what needs no answer (`habits`). Nothing here imports a client before it runs.
"""
