"""All SQL: the database, its schema, and one module for each term."""
