"""The model registry: candidate, validated, approved, with nothing in between and nothing lost."""
