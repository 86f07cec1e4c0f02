"""The verbs: submit, choose, follow, settle."""
