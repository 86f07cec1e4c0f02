"""All that enforces the contract, and knows no Midjourney."""

import warnings

with warnings.catch_warnings():
    # Connexion imports starlette's test client, which warns of the HTTP client it finds.
    warnings.simplefilter("ignore")
    import connexion  # noqa: F401
