"""HTTP words to domain words and back: one function for each operation."""
