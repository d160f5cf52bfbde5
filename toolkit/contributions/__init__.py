"""What a person brings who adds a language: a language file, a recipe to begin with, their checks, and their review."""
